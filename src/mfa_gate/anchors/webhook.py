"""Posts JSON to an address, signed so that the receiver knows whose it is; it must not know what it says."""

import hmac
import http.client
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Final

TIMEOUT_SECONDS: Final = 5


class Webhook:
    """An address that JSON is posted to. A redirect is not followed: the address is the one of the settings."""

    def __init__(self, url: str, secret: bytes = b"", ca: Path | None = None) -> None:
        """`ca`: what its certificate must be signed by; None: an authority that the system trusts."""
        self._url = url
        self._secret = secret
        self._ca = ca

    def post(self, body: bytes, *, name: str = "", at: int = 0) -> None:
        """Post `body`; raises `OSError` unless it was taken (2xx).

        With a secret it is signed as standardwebhooks.com has it: HMAC-SHA256 over `name.at.body`. Whoever gets the
        same `name` again has it already.
        """
        headers = {"Content-Type": "application/json", "User-Agent": "mfa_gate"}
        if self._secret:
            signed = hmac.digest(self._secret, b"%b.%d.%b" % (name.encode(), at, body), "sha256")
            headers |= {
                "webhook-id": name,
                "webhook-timestamp": str(at),
                "webhook-signature": f"v1,{b64encode(signed).decode()}",
            }
        request = urllib.request.Request(  # noqa: S310 - the settings allow https, and http to this machine
            self._url, data=body, headers=headers, method="POST"
        )
        try:
            with self._opener().open(request, timeout=TIMEOUT_SECONDS):
                pass
        except http.client.HTTPException as error:
            raise OSError(f"no answer of HTTP: {error}") from error

    def _opener(self) -> urllib.request.OpenerDirector:
        if self._ca is None:
            return _OPENER
        # Read each time: whoever exchanges the file need not start the gate again.
        context = ssl.create_default_context(cafile=self._ca)
        return urllib.request.build_opener(_NoRedirect(), urllib.request.HTTPSHandler(context=context))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(_NoRedirect())
