"""What every store does with lists and counters, in sentences of `ports.Directory`; an oracle says what to expect."""

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Exemption, fold_subject
from mfa_gate.core.coverage import GroupCoverage
from mfa_gate.core.listing import ACTIVE, EVERYBODY, SORTS, STATUSES, Filter, Place, Sort
from mfa_gate.core.policy import Status, standing
from mfa_gate.ports import Groups
from tests.stores.contract import NOW, Backend, event, person, put, totp

GROUPS = ("nurses", "ward 3", "a:b", "group:x", "unseen", "{0}", "Ärzte")
FILTERS = (
    EVERYBODY,
    Filter(statuses=ACTIVE),
    *(Filter(statuses=(status,)) for status in STATUSES),
    *(Filter(statuses=ACTIVE, group=group) for group in (*GROUPS, "nobody's", "")),
    Filter(statuses=("missing", "exempt"), group="nurses"),
    Filter(statuses=("paused",), group="ward 3"),
    Filter(statuses=("enrolled", "exempt"), group="nurses"),
    Filter(never_seen=True),
    Filter(statuses=("missing",), never_seen=True),
    Filter(never_seen=True, group="nurses"),
    Filter(prefix="a"),
    Filter(prefix="AL", statuses=("enrolled", "missing")),
    Filter(prefix="u-1", statuses=ACTIVE),
    Filter(prefix="a", group="nurses", statuses=ACTIVE),
    Filter(prefix="b", group="nurses", never_seen=True),
    Filter(prefix="zz"),
    Filter(statuses=()),
)


def exempt_until(until: int) -> Exemption:
    return Exemption(reason="No phone", approved_by="root", given_at=NOW, until=until)


def crowd(number: int) -> list[Account]:
    """People of every kind, always the same ones."""
    choose = random.Random(4)
    names = ["Alice", "alina", "Bob", "", "Zoë", "a\0b", "Émile", "al", "Carol"]
    found = []
    for each in range(number):
        apps = choose.choice(
            [
                (),
                (),
                (totp(),),
                (totp(paused_until=NOW + choose.choice([50, 150])),),
                (totp(disabled=True),),
            ]
        )
        name = choose.choice(names)
        found.append(
            person(
                f"u-{each}",
                name=name,
                email=choose.choice(["", f"{fold_subject(name or 'x')[:1]}{each}@example.org"]),
                groups=tuple(choose.sample(GROUPS, choose.choice([0, 1, 1, 3]))),
                active=choose.random() > 0.1,
                first_seen_at=choose.choice([0, NOW - each]),
                created_at=choose.choice([0, 0, NOW - 2 * each]),
                last_verified_at=choose.choice([0, 0, NOW - 7, NOW - 3 * each]),
                totps=apps,
                exemption=choose.choice([None, None, exempt_until(NOW + 100)]),
            )
        )
    return found


def fits(account: Account, who: Filter, status: Status) -> bool:
    """Written independently of any index."""
    texts = (account.name or account.subject, account.email, account.subject)
    return (
        status in who.statuses
        and (who.group is None or who.group in account.groups)
        and not (who.never_seen and account.first_seen_at)
        and any(_key(text).startswith(_key(who.prefix)) for text in texts)
    )


def in_order(accounts: list[Account], sort: Sort) -> list[Account]:
    def key(account: Account) -> tuple[int, bytes, str]:
        at = account.last_verified_at if sort.endswith("verified") else 0
        return at, _key(account.name or account.subject).encode(), account.id

    return sorted(accounts, key=key, reverse=sort.startswith("-"))


def _key(text: str) -> str:
    return fold_subject(text).replace("\0", "\1")


def pages(store: Backend, who: Filter, sort: Sort, limit: int, now: int = NOW) -> Iterator[list[Account]]:
    """Every page of a list."""
    after: Place | None = None
    for _ in range(500):
        page = store.people(who, sort=sort, after=after, limit=limit, now=now)
        yield [row.account for row in page.rows]
        after = page.next
        if after is None:
            return
        assert len(page.rows) == limit
        assert Place.of(after.cursor, sort) == after
    raise AssertionError("the list does not end")


def by_group(accounts: list[Account], limit: int) -> Groups:
    """Written independently of any index, too."""
    active = [each for each in accounts if each.active]
    sizes = Counter(group for each in active for group in each.groups)
    largest = sorted(sizes, key=lambda group: (-sizes[group], group))
    shown = {
        group: GroupCoverage(sum(each.has_factor for each in active if group in each.groups), sizes[group])
        for group in largest[:limit]
    }
    return Groups(shown=shown, more=len(largest[limit:]))


class DirectoryContract(ABC):
    """Subclass it as `Test…`, with `make`."""

    @abstractmethod
    def make(self, place: Path) -> Backend:
        """A new store that belongs to this folder."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Backend]:
        made = self.make(tmp_path)
        yield made
        made.close()

    def test_every_filter_in_every_order_shows_exactly_whom_it_fits(self, store: Backend) -> None:
        accounts = [put(store, each) for each in crowd(60)]
        assert store.groups(3) == by_group(accounts, 3)
        assert store.groups(99) == by_group(accounts, 99)
        # Pauses, exemptions and time to set up end without a write, and a policy needs none either.
        for now, sorts, fields in (
            (NOW, SORTS, {}),
            (NOW + 120, SORTS[:1], {"grace_from": "first_seen"}),
            (NOW + 20, SORTS[-1:], {"grace_from": "created", "grace_seconds": 60}),
            (NOW, SORTS[:1], {"grace_from": "policy", "first_required_at": NOW - 1}),
        ):
            policy = store.policy()
            if fields:
                policy = replace(policy, **{"grace_seconds": 150, "require_two_step": True} | fields)
                policy = store.commit_policy(policy, (), NOW)
            status = {each.id: standing(each, policy, now).status for each in accounts}
            for who, sort in product(FILTERS, sorts):
                wanted = in_order([each for each in accounts if fits(each, who, status[each.id])], sort)
                limit = 25 if not fields else 100
                found = [each for page in pages(store, who, sort, limit, now) for each in page]
                assert [each.subject for each in found] == [each.subject for each in wanted], (who, sort)
            for who in FILTERS:
                counts = store.counts(who, now)
                if who.prefix or (who.group is not None and who.never_seen):
                    assert counts is None
                    continue
                everywhere = replace(who, statuses=STATUSES)
                assert counts == {
                    word: sum(fits(each, everywhere, word) for each in accounts if status[each.id] == word)
                    for word in STATUSES
                }

    def test_lists_follow_every_change(self, store: Backend) -> None:
        alice = put(store, person("alice", groups=("nurses", "ward 3"), first_seen_at=0))
        steps: list[tuple[dict[str, object], Status, list[str]]] = [
            ({"groups": ("ward 3", "x")}, "missing", ["ward 3", "x"]),
            ({"first_seen_at": NOW, "exemption": exempt_until(NOW + 9)}, "exempt", ["ward 3", "x"]),
            ({"totps": (totp(),), "last_verified_at": NOW}, "enrolled", ["ward 3", "x"]),
            ({"totps": (totp(disabled=True),), "groups": ()}, "paused", []),
            ({"active": False, "name": "Zoe"}, "inactive", []),
            ({"active": True, "totps": (), "exemption": None, "groups": ("x",)}, "missing", ["x"]),
        ]
        for fields, status, groups in steps:
            alice = put(store, replace(alice, **fields))
            counts = store.counts(EVERYBODY, NOW)
            assert counts == {word: int(word == status) for word in STATUSES}
            assert store.groups(9) == by_group([alice], 9)
            for group in ("nurses", "ward 3", "x"):
                there = store.people(Filter(group=group), limit=9, now=NOW).rows
                assert [row.account for row in there] == ([alice] if group in groups else [])
                assert sum((store.counts(Filter(group=group), NOW) or {}).values()) == len(there)
            for sort in SORTS:
                assert [row.account for row in store.people(EVERYBODY, sort=sort, limit=9, now=NOW).rows] == [
                    alice
                ]

    @pytest.mark.parametrize("sort", SORTS)
    def test_nobody_comes_twice_and_nobody_is_lost_while_people_are_added(
        self, store: Backend, sort: Sort
    ) -> None:
        def arrive(number: int) -> None:
            put(
                store,
                person(f"u{number * 37 % 100:02}", groups=("g",), last_verified_at=NOW - number % 3),
            )

        for number in range(20):
            arrive(number)
        before = {f"u{number * 37 % 100:02}" for number in range(20)}
        for who in (Filter(group="g"), Filter(prefix="u"), EVERYBODY):
            seen: list[str] = []
            start = len(store.people(EVERYBODY, limit=500, now=NOW).rows)
            for number, page in enumerate(pages(store, who, sort, 4)):
                seen += [each.subject for each in page]
                if number < 3:
                    arrive(start + number)
            assert len(seen) == len(set(seen))
            assert before <= set(seen)

    @pytest.mark.parametrize("who", [Filter(prefix="a"), Filter(prefix="a", group="g")])
    @pytest.mark.parametrize("few", [0, 3])
    def test_many_matches_are_found_in_the_same_order_as_few(
        self, store: Backend, monkeypatch: pytest.MonkeyPatch, few: int, who: Filter
    ) -> None:
        for module in ("sqlite_directory", "redis_directory"):
            monkeypatch.setattr(f"mfa_gate.stores.{module}.FEW", few)
        accounts = [
            put(
                store,
                person(
                    f"{'ab'[number % 2]}{number}",
                    name=f"{'xa'[number % 3 == 0]}{number}",
                    groups=("g",) * (number % 5 != 0),
                    last_verified_at=NOW - number % 4,
                ),
            )
            for number in range(40)
        ]
        for sort in SORTS:
            wanted = in_order([each for each in accounts if fits(each, who, "missing")], sort)
            assert [each for page in pages(store, who, sort, 6) for each in page] == wanted

    def test_those_who_are_exempt_come_in_the_order_in_which_that_ends(self, store: Backend) -> None:
        assert store.exempt(9, NOW) == ()
        ends = {"alice": 30, "bob": 4, "carol": 90, "dora": 4, "over": 0, "erna": 7}
        for name, until in ends.items():
            had = {"last_verified_at": NOW - 9} if name == "erna" else {}
            put(store, person(name, exemption=exempt_until(NOW + until), **had))
        put(store, person("frida", totps=(totp(),), exemption=exempt_until(NOW + 2)))
        put(store, person("gone", active=False, exemption=exempt_until(NOW + 2)))
        found = [account.subject for account in store.exempt(9, NOW)]
        assert found == ["bob", "dora", "erna", "alice", "carol"]
        assert [account.subject for account in store.exempt(2, NOW + 4)] == ["erna", "alice"]

    def test_made_up_places_are_places_in_the_list(self, store: Backend) -> None:
        alice = put(store, person("alice", groups=("g",)))
        odd: tuple[Callable[[Sort], Place], ...] = (
            lambda sort: Place(sort=sort, last_verified_at=0, name_key="", account_id=""),
            lambda sort: Place(sort=sort, last_verified_at=2**36 - 1, name_key="\U0010ffff", account_id="z"),
            lambda sort: Place(sort=sort, last_verified_at=5, name_key="a\0b' OR 1=1", account_id="\0"),
        )
        for sort, place, who in product(SORTS, odd, (EVERYBODY, Filter(group="g"), Filter(prefix="a"))):
            page = store.people(who, sort=sort, after=place(sort), limit=5, now=NOW)
            assert [row.account for row in page.rows] in ([], [alice])

    def test_an_account_whose_events_alone_go_on_stays_where_it_is(self, store: Backend) -> None:
        alice = put(store, person("alice", groups=("g",)))
        store.record((event("spelling_refused", alice),), NOW)
        assert (store.counts(Filter(group="g"), NOW) or {})["missing"] == 1
