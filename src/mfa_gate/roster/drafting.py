"""Reads a roster that somebody sent into a draft, or says everything that is wrong with it."""

from mfa_gate.flows.roster_desk import BadRoster, Lines
from mfa_gate.roster.csv_file import RosterRefused, read
from mfa_gate.roster.draft import Draft


def drafted(file: Lines, realms: tuple[str, ...]) -> Draft | BadRoster:
    """The draft of a CSV file, which the caller closes. Raises what reading `file` raises."""
    draft = Draft()
    try:
        bad = _filled(draft, file, realms)
    except BaseException:
        draft.close()
        raise
    if bad is None:
        return draft
    draft.close()
    return bad


def _filled(draft: Draft, file: Lines, realms: tuple[str, ...]) -> BadRoster | None:
    try:
        draft.fill(read(file, realms), lambda _: None)
    except RosterRefused as refused:
        return BadRoster(why=str(refused))
    if draft.bad_count:
        lines = tuple((bad.line, bad.why) for bad in draft.bad)
        return BadRoster(lines=lines, count=draft.bad_count)
    return None if draft.people else BadRoster(why="The roster names nobody.")
