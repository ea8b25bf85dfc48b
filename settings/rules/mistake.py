"""What a mistake between keys is, and how a rule goes on where a value that it needs is wrong itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from settings.partial import UNKNOWN, UnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


K = TypeVar("K")
P = ParamSpec("P")


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong: where it stands, and what is wrong with it, what would follow, what to do.

    ``code`` is that of the kind of mistake, by which people search. No other kind ever gets it.
    """

    code: str
    key: str
    text: str


def as_far_as_known(rule: Callable[P, Iterator[Mistake]]) -> Callable[P, Iterator[Mistake]]:
    """Let a rule end where it needs a value that is wrong itself; what it has found until then stands."""

    @wraps(rule)
    def until_unknown(*args: P.args, **kwargs: P.kwargs) -> Iterator[Mistake]:
        with suppress(UnknownError):
            yield from rule(*args, **kwargs)

    return until_unknown


def alike(values: Mapping[K, object]) -> Iterator[tuple[K, K]]:
    """Yield every key whose value an earlier key has already, and that earlier key."""
    keys = [key for key, value in values.items() if value is not UNKNOWN]
    for place, key in enumerate(keys):
        first = next((earlier for earlier in keys[:place] if values[earlier] == values[key]), None)
        if first is not None:
            yield key, first
