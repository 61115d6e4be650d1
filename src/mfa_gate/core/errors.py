"""The tree of errors; it knows no cause but the names of what went wrong.

    MfaGateError
    ├── SettingsError        a setting is wrong; the text names it, its value and the cure
    ├── KeysError            the key file is missing, readable by others or not ours
    ├── StaleState           a commit lost its race; read again and retry
    ├── MailUnavailable      the mail server takes nothing now; nothing was sent
    ├── OutcomeUnknown       a message may have been sent, or not; nobody can tell
    └── StoreUnavailable     the store cannot answer now: 503, never a pass
        ├── ClocksDiffer     this machine or the store's server shows a wrong time, and nobody can tell which
        ├── RolledBack       the store is an older copy, or another one, than its anchor knows
        └── RecordCorrupt    a record does not open, is older than its head, or is missing beside it

A wrong code is a *result* (`Rejected`), never an exception.
"""


class MfaGateError(Exception):
    """Root of everything that this package raises on purpose."""


class SettingsError(MfaGateError):
    """A setting is wrong; the text names the setting, the value and the cure."""


class KeysError(MfaGateError):
    """The keys cannot be used; the gate refuses to start."""


class StaleState(MfaGateError):
    """Somebody else changed the record since it was read; nothing was written."""


class MailUnavailable(MfaGateError):
    """The mail server does not answer, or takes nothing from us; nothing was sent."""


class OutcomeUnknown(MfaGateError):
    """The connection broke while a message was on its way: it may have arrived, or not."""


class StoreUnavailable(MfaGateError):
    """The store did not answer, or what it answered cannot be trusted."""


class ClocksDiffer(StoreUnavailable):
    """This machine's clock and that of the store's server are so far apart that no code can be judged by either."""


class RecordCorrupt(StoreUnavailable):
    """A sealed record does not open, or does not fit the chain head that stands beside it."""


class RolledBack(StoreUnavailable):
    """The store has fallen behind what is known of it outside; only somebody on the server's shell can accept that."""
