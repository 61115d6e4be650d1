"""Which sessions and challenges are alive after a change."""

from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.sessions import CAP
from mfa_gate.ports import Change
from mfa_gate.stores.registers import CHALLENGE_CAP, Register, after_change, without_session
from tests.stores.contract import challenge, person, session

ALICE = person("alice")
KEYS = "abcdefgh"


def some(size: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(KEYS), unique=True, max_size=size).map(tuple)


@given(st.data())
def test_nothing_comes_to_life_but_what_the_change_opens(data: st.DataObject) -> None:
    before = Register(sessions=data.draw(some(8)), challenges=data.draw(some(CHALLENGE_CAP)))
    live = data.draw(st.frozensets(st.sampled_from(KEYS)))
    everything, new_epoch = data.draw(st.booleans()), data.draw(st.booleans())
    named, spend = data.draw(some(8)), data.draw(st.none() | st.sampled_from(KEYS))
    opened = data.draw(st.none() | st.sampled_from(KEYS + "z"))
    change = Change(
        account=ALICE,
        end_sessions="all" if everything else named,
        spend=spend,
        open_session=session(ALICE, opened) if opened else None,
        open_challenge=challenge(ALICE, opened) if opened else None,
    )
    after = after_change(before, change, new_epoch=new_epoch, live_sessions=live, live_challenges=live)
    new = {opened} if opened else set()
    kept = set() if new_epoch or everything else (set(before.sessions) & live) - set(named)
    assert set(after.sessions) == kept | new
    waiting = set() if new_epoch else (set(before.challenges) & live) - {spend}
    assert set(after.challenges) <= waiting | new
    assert len(after.challenges) == min(CHALLENGE_CAP, len(waiting | new))
    if opened:
        assert (after.sessions[-1], after.challenges[-1]) == (opened, opened)


def test_the_oldest_give_way() -> None:
    names = tuple(f"k{number}" for number in range(CAP))
    register = Register(sessions=names, challenges=names[:CHALLENGE_CAP])
    change = Change(account=ALICE, open_session=session(ALICE, "new"), open_challenge=challenge(ALICE, "new"))
    after = after_change(register, change, new_epoch=False, live_sessions=names, live_challenges=names)
    assert after.sessions == (*names[1:], "new")
    assert after.challenges == (*names[1:CHALLENGE_CAP], "new")


def test_a_session_is_taken_out() -> None:
    assert without_session(Register(sessions=("a", "b")), "a") == Register(sessions=("b",))
    assert without_session(Register(sessions=("a", "b")), "c") == Register(sessions=("a", "b"))
