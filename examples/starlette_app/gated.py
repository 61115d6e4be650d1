"""The Starlette portal behind the gate: run it as a module, or give `app` to an ASGI server.

Where that server has more than one process, `[store] url` in the settings is a Redis: redis://localhost:6379/0. For one
machine SQLite does, too.
"""

import os
from urllib.parse import urlsplit

import uvicorn

from examples.starlette_app.portal import create_app
from mfa_gate import Gate

gate = Gate.from_toml(os.environ.get("MFA_GATE_SETTINGS", "mfa-gate.toml"))
app = gate.asgi(create_app(os.environ["PORTAL_SECRET"]))

if __name__ == "__main__":
    port = urlsplit(gate.settings.public_url).port or 80
    uvicorn.run(app, host="127.0.0.1", port=port, proxy_headers=False, timeout_graceful_shutdown=3)
