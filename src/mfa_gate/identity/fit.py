"""Notices that the names in a source's settings are not the portal's, and says so once; it must not change a reading.

A wrong `field` or `cookie` names nobody, which looks just like a portal to which nobody has signed in.
"""

import logging
from collections.abc import Mapping
from typing import Final

from mfa_gate.core.messages import printable
from mfa_gate.settings import FlaskSession, StarletteSession

log = logging.getLogger("mfa_gate")

LOOKS: Final = 1_000
"""Requests without the portal's cookie whose other cookies are looked at, in one process."""
_KEYS_TOLD: Final = 8


class Fit:
    """One per source and process. It is silent from the first person whom the source names, or once it has spoken."""

    def __init__(self, settings: FlaskSession | StarletteSession) -> None:
        self._settings = settings
        self._settled = False
        self._looks_left = LOOKS

    @property
    def wants_other_cookies(self) -> bool:
        """Whether it is still worth a look if a request without the named cookie bears it under another name."""
        if self._settled or self._looks_left <= 0:
            return False
        self._looks_left -= 1
        return True

    def named(self) -> None:
        """Somebody was named: the settings fit."""
        self._settled = True

    def lacks(self, setting: str, field: str, session: Mapping[str, object]) -> None:
        """A session that the portal signed holds no `field`. One that holds nothing at all says nothing."""
        if not session:
            return
        keys = ", ".join(sorted(map(str, session))[:_KEYS_TOLD])
        self._say(
            f'{setting} = "{field}": a session of the portal, in the cookie "{self._settings.cookie}", holds no such '
            f"field, so it names nobody. It holds: {printable(keys, 200)}. If somebody was signed in with it, set "
            f"{setting} to the field that the portal uses; if nobody was, all is well."
        )

    def found_elsewhere(self, cookie: str) -> None:
        """What should be in the named cookie came in another one."""
        self._say(
            f'cookie = "{self._settings.cookie}": no such cookie came, but a session that names somebody came '
            f'in another one. Write cookie = "{printable(cookie, 100)}".'
        )

    def _say(self, what: str) -> None:
        if not self._settled:
            self._settled = True
            log.warning("[[identity]] %s, %s", self._settings.source, what)
