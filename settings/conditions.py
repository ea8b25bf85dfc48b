"""Which requests a route's hosts and paths match, beside another's: all of them, some, or none.

Pure, over patterns as ELB reads them: * is any text, ? one character, hosts without regard to case. Where two patterns
are too entangled to say, neither is said to lie in the other; what else a rule asks for (a header, a method) is either
the same or tells nothing. Refuses to own which route comes first (rules/).
"""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Network
from itertools import product
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class Pattern(Protocol):
    """What asks for hosts, paths and perhaps more: a route, or a rule that stands on a listener."""

    @property
    def hosts(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def paths(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def narrows(self) -> Collection[str]: ...  # noqa: D102


def covers(first: Pattern, other: Pattern) -> bool:
    """Tell whether every request that ``other`` matches is one of ``first``."""
    return set(first.narrows) <= set(other.narrows) and all(
        all(any(_within(one, wide) for wide in wides) for one in ones)
        for ones, wides in zip(_conditions(other), _conditions(first), strict=True)
    )


def shared(first: Pattern, other: Pattern) -> str:
    """Return what two patterns both match, as the narrower of two hosts and paths; empty where no request is both's."""
    found: list[str] = []
    for ones, others in zip(_conditions(first), _conditions(other), strict=True):
        both = next((pair for pair in product(ones, others) if _meet(*pair)), None)
        if both is None:
            return ""
        found.append(_narrower(*both))
    return "".join(found)


def meet(host: str, names: Sequence[str]) -> bool:
    """Tell whether there is a request to a host pattern and to one of some names."""
    return any(_meet(host.lower(), name) for name in names)


def _conditions(pattern: Pattern) -> tuple[Sequence[str], Sequence[str]]:
    return [host.lower() for host in pattern.hosts] or ["*"], pattern.paths or ["/*"]


def _narrower(one: str, other: str) -> str:
    return one if _within(one, other) else other


@cache
def _within(one: str, wide: str) -> bool:
    """Tell whether all that ``one`` matches is matched by ``wide``; false, too, where that is not plain to see."""
    if wide.startswith("*"):
        return _within(one, wide[1:]) or (bool(one) and _within(one[1:], wide))
    if not one or not wide:
        return one == wide
    same = one[0] == wide[0] or (wide[0] == "?" and one[0] != "*")
    return same and _within(one[1:], wide[1:])


@cache
def _meet(one: str, other: str) -> bool:
    """Tell whether there is a text that both match."""
    if one.startswith("*"):
        return _meet(one[1:], other) or (bool(other) and _meet(one, other[1:]))
    if other.startswith("*"):
        return _meet(other, one)
    if not one or not other:
        return one == other
    return (one[0] == other[0] or "?" in (one[0], other[0])) and _meet(one[1:], other[1:])


def narrowed(ranges: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """Return the ranges of addresses that lie in both of two lists, of which an empty one is everywhere."""
    if not ranges or not others:
        return tuple(ranges or others)
    pairs = [(IPv4Network(one), IPv4Network(other)) for one, other in product(ranges, others)]
    both = {min(pair, key=lambda one: one.num_addresses) for pair in pairs if pair[0].overlaps(pair[1])}
    return tuple(str(one) for one in sorted(both) if not any(one != wide and one.subnet_of(wide) for wide in both))
