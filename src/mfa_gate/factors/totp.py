"""Which time step a six-digit code belongs to; knows no account, no clock, and not which steps are already spent.

RFC 6238 as authenticator apps implement it: SHA-1, six digits, 30 seconds. The other half of single use, that an
accepted step is higher than the last one, is enforced where the account changes (`core.accounts`).
"""

import base64
import hmac
from collections.abc import Callable
from urllib.parse import quote

import pyotp

STEP_SECONDS = 30
SECRET_BYTES = 20  # As long as the SHA-1 output (RFC 4226 §4, R6).

_SHORTEST_SECRET = 14
_DIGITS = 6
_LONGEST_INPUT = 32
# Each label is cut where its percent-encoded form passes this: three of them (the issuer occurs twice)
# still make a QR code whose modules a phone can tell apart at 200 px.
_LONGEST_LABEL = 180


def new_secret(random: Callable[[int], bytes]) -> bytes:
    """A fresh secret of 20 bytes; `random(n)` returns n bytes of cryptographic quality."""
    return random(SECRET_BYTES)


def base32(secret: bytes) -> str:
    """The secret as apps take it by hand: upper case, without padding."""
    return base64.b32encode(secret).decode().rstrip("=")


def groups_of_four(b32: str) -> tuple[str, ...]:
    """The same key, cut so that it can be read and typed: `("ABCD", "EFGH", …)`."""
    return tuple(b32[at : at + 4] for at in range(0, len(b32), 4))


def provisioning_uri(secret: bytes, *, issuer: str, account_name: str) -> str:
    """The `otpauth://` address behind the QR code; labels are cleaned and cut so that every app takes them."""
    return pyotp.TOTP(base32(secret)).provisioning_uri(
        name=_label(account_name) or "account", issuer_name=_label(issuer) or None
    )


def normalize_code(text: str) -> str | None:
    """Exactly six ASCII digits, or None; spaces and tabs anywhere and line ends after them are what pasting leaves.

    Anything else is refused: a code with a second spelling is a code with a second use wherever spellings are compared.
    """
    if len(text) > _LONGEST_INPUT:
        return None
    code = text.replace(" ", "").replace("\t", "").rstrip("\r\n")
    # Security: str.isdigit alone also takes full-width, Arabic and superscript digits.
    return code if len(code) == _DIGITS and code.isascii() and code.isdigit() else None


def matching_step(secret: bytes, code: str, now: int, *, window: int = 1) -> int | None:
    """The newest step within `window` steps of `now` (UTC seconds) whose code this is, or None.

    `code` comes from `normalize_code`; anything else matches nothing. The caller spends the step: it accepts only
    one above the account's last step, and stores it in the same commit (RFC 6238 §5.2).
    """
    current = now // STEP_SECONDS
    # Security: the newest, because two steps can share a code; spending the older one would leave the newer open.
    return max(_matches(secret, code, range(current - window, current + window + 1)), default=None)


def latest_step(at: int, *, window: int = 1) -> int:
    """The newest step that could be spent at this time (UTC seconds)."""
    return at // STEP_SECONDS + window


def clock_offset(secret: bytes, code: str, now: int, reach_seconds: int = 3600) -> int | None:
    """By how many seconds the phone's clock seems to be ahead (negative: behind), or None.

    Security: for the text under a wrong code while an app is being set up, and for nothing else. It looks at some
    240 steps, so it must neither accept a code nor be shown for a factor that is in use.
    """
    current = now // STEP_SECONDS
    reach = reach_seconds // STEP_SECONDS
    steps = _matches(secret, code, range(current - reach, current + reach + 1))
    offsets = [(step - current) * STEP_SECONDS for step in steps]
    return min(offsets, key=abs, default=None)


def qr_svg(uri: str) -> str:
    """The QR code as an SVG element for a page: CSS gives the size, no style attribute, white ground in dark mode too.

    About 12 ms of work: not for an event loop. Nothing of `uri` stands in the markup as text.
    """
    import segno  # noqa: PLC0415 - only the setup page pays for loading it

    code = segno.make(uri, micro=False)
    return code.svg_inline(omitsize=True, svgclass=None, lineclass=None, light="white")


def _matches(secret: bytes, code: str, steps: range) -> list[int]:
    """All of the steps whose code this is.

    Security: every step is computed and compared in constant time, so the answer's time does not say which matched.
    """
    if len(secret) < _SHORTEST_SECRET:
        raise ValueError(f"A secret of {8 * len(secret)} bits is none; NIST SP 800-63B-4 asks for 112 bits.")
    given = code.encode(errors="replace")
    return [step for step in steps if step >= 0 and hmac.compare_digest(_code_of(secret, step), given)]


def _code_of(secret: bytes, step: int) -> bytes:
    """The code of a step (RFC 4226 §5.3). pyotp would decode the secret anew for each of them."""
    digest = hmac.digest(secret, step.to_bytes(8), "sha1")
    at = digest[-1] & 0xF
    return b"%06d" % ((int.from_bytes(digest[at : at + 4]) & 0x7FFF_FFFF) % 10**_DIGITS)


def _label(text: str) -> str:
    """One line of visible characters without the colon, which separates issuer and account in the address."""
    words = " ".join(text[: 4 * _LONGEST_LABEL].replace(":", " ").split())
    label = "".join(character for character in words if character.isprintable())[:_LONGEST_LABEL]
    while len(quote(label)) > _LONGEST_LABEL:
        label = label[:-1]
    return label.strip()
