"""A process that counts what it had to load: `lean.py FOLDER COOKIES`; says it after the import, a request, a page."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.edges.asking import NAVIGATION, Ask, ask_wsgi, asking
from tests.edges.portal import Canary

SLOW = ("webauthn", "authlib", "aiohttp", "redis", "jinja2")


def loaded() -> list[str]:
    """What is slow to import, as far as it is there."""
    return [name for name in SLOW if name in sys.modules]


def main(place: Path, cookies: str) -> None:
    from mfa_gate import Gate, Settings
    from mfa_gate.wiring import Sources

    said: dict[str, Any] = {"imported": loaded()}
    made = json.loads((place / "settings.json").read_text())
    settings = Settings.from_mapping(made["settings"], place, environ=made["environ"])
    gate = Gate(settings, sources=Sources(clock=lambda: made["now"]))
    app, ask = gate.wsgi(Canary().wsgi), Ask(headers=(("Cookie", cookies),))
    answers = (ask_wsgi(app, ask), asyncio.run(asking(gate.asgi(Canary().asgi), ask)))
    said["served"] = [*(answer.status for answer in answers), *loaded()]
    page = ask_wsgi(app, Ask(target="/mfa/account", headers=(*NAVIGATION, *ask.headers)))
    said["page"] = [page.status, *loaded()]
    gate.parts.close()
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
