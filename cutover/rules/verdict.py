"""What a check says of one thing: whether it is well, by which evidence, and what to do.

Owns how a fact that could not be read becomes a verdict of its own, never one that all is well.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_T = TypeVar("_T")
_AGAIN = "Mend that, and run the same again"
_NAMED = 3


class Verdict(StrEnum):
    """How well something is."""

    OK = "ok"
    WARN = "warn"  # it may be meant so, and the traffic may move
    BAD = "bad"  # the cluster is not ready
    UNKNOWN = "unknown"  # it could not be read


class Unread(Exception):  # noqa: N818 - a fact first, and an error only where it is needed and is not there
    """Stands for a fact that could not be read. It says why, and what to do."""

    def __init__(self, reason: str, cure: str = _AGAIN) -> None:
        super().__init__(reason)
        self.cure = cure


Objects: TypeAlias = "Mapping[str, Sequence[Mapping[str, Any]] | Unread]"
"""What stands inside a cluster, by collection (cutover/inside/objects.py), as far as it could be read."""


@dataclass(frozen=True)
class Row:
    """What a check says. ``cure`` is empty where there is nothing to do, ``ignored`` says why it may be as it is."""

    code: str
    check: str
    verdict: Verdict
    evidence: str
    cure: str = ""
    ignored: str = ""


def known(fact: _T | Unread) -> _T:
    """Return a fact.

    :raises Unread: it could not be read
    """
    if isinstance(fact, Unread):
        raise fact
    return fact


def some(names: Iterable[str]) -> str:
    """Return names as evidence has room for: the first few, and how many more."""
    every = sorted(names)
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + more
