"""A process that serves from a gate, forks, and serves on both sides: `forker.py FOLDER`; says what each side got."""

import json
import os
import sys
import time
from pathlib import Path

from tests.edges.asking import NAVIGATION, Ask, ask_wsgi
from tests.edges.portal import Canary
from tests.edges.town import PLAIN, SECRET, starlette_cookie


def main(place: Path) -> None:
    from mfa_gate.gate import Gate
    from mfa_gate.settings import Settings

    gate = Gate(Settings.from_mapping(PLAIN, place, environ={"PORTAL_SECRET": SECRET}))
    app = gate.wsgi(Canary().wsgi_app)
    cookies = (("Cookie", f"session={starlette_cookie({'user': 'carol'}, time.time())}"),)

    def serve() -> list[int]:
        page = ask_wsgi(app, Ask(target="/mfa/setup", headers=(*NAVIGATION, *cookies)))
        return [
            page.status,
            ask_wsgi(app, Ask(headers=cookies)).status,
            ask_wsgi(app, Ask(target="/static/x")).status,
        ]

    found = [serve()]
    children = []
    for _ in range(3):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, json.dumps(serve()).encode())
            os._exit(0)
        os.close(writer)
        children.append(reader)
    found += [json.loads(os.read(reader, 1000)) for reader in children]
    found.append(serve())
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
