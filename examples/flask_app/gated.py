"""The Flask portal behind the gate: run it as a module, or give `app` to a WSGI server.

Where that server has more than one process, `[store] url` in the settings is a Redis: redis://localhost:6379/0. For one
machine SQLite does, too.
"""

import os
from urllib.parse import urlsplit

from werkzeug.serving import run_simple

from examples.flask_app.portal import create_app
from mfa_gate import Gate

gate = Gate.from_toml(os.environ.get("MFA_GATE_SETTINGS", "mfa-gate.toml"))
app = create_app(os.environ["PORTAL_SECRET"])
app.wsgi_app = gate.wsgi(app.wsgi_app)  # type: ignore[method-assign] # Flask's own way to wrap an application

if __name__ == "__main__":
    port = urlsplit(gate.settings.public_url).port or 80
    run_simple("127.0.0.1", port, app, threaded=True)
