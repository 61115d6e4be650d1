"""Merges what lies sorted in several places into one page; it must not know what it is nor where it lies."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

Source = TypeVar("Source")
Item = TypeVar("Item", bound=tuple[Any, ...])


class Piece(NamedTuple, Generic[Item]):
    """Some of a source's items in order. Up to `reached` there are no others; None: nor anywhere after."""

    items: list[Item]
    reached: Item | None


class Want(NamedTuple, Generic[Source, Item]):
    """What is asked of a source: `number` items after `reached` (None: from the beginning)."""

    source: Source
    reached: Item | None
    number: int


def first_of(
    sources: Sequence[Source],
    fetch: Callable[[list[Want[Source, Item]]], list[Piece[Item]]],
    limit: int,
    *,
    descending: bool = False,
) -> list[Item]:
    """The first `limit` items of all sources together; the greatest first if `descending`.

    Items are spread evenly over the sixteen shards as a rule, so that little is asked of each source at first, and
    twice as much of those that have not reached far enough.
    """
    found: list[Item] = []
    reached: dict[int, Item | None] = dict.fromkeys(range(len(sources)))
    number = limit // 12 + 2
    while reached:
        asked = list(reached)
        wants = [Want(sources[at], reached[at], number) for at in asked]
        for at, part in zip(asked, fetch(wants), strict=True):
            found += part.items
            if part.reached is None:
                del reached[at]
            else:
                reached[at] = part.reached
        found.sort(reverse=descending)
        # Whoever has got past the last item that is wanted cannot bring one before it.
        bound = found[limit - 1] if len(found) >= limit else None
        if bound is not None:
            reached = {
                at: end
                for at, end in reached.items()
                if end is None or (end > bound if descending else end < bound)
            }
        number *= 2
    return found[:limit]
