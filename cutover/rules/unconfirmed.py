"""What an edit of a stack file says otherwise that nobody has confirmed. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutover.rules.missing import TARGETS

if TYPE_CHECKING:
    from collections.abc import Sequence


_SHOWN = 8  # values, than which a screen needs no more
_WEIGHTS = re.compile(r"(?:[^:]+:)?(?:weights|routes\.[^.]+\.weights)(?:\.|$)")
_CLUSTER = re.compile(r"(?:[^:]+:)?clusters\.([^.]+)")


@dataclass(frozen=True)
class Change:
    """A value of the stack file, by its path, that a copy beside it has otherwise."""

    path: str
    said: str
    gone: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.said}"


@dataclass(frozen=True)
class Unconfirmed:
    """What nobody has confirmed: ``since`` when, and the ``changes`` of the values, or why they cannot be told.

    ``file`` and ``copy`` are the stack file and the copy beside it, as a shell takes them where the command was given.
    """

    name: str
    file: str
    copy: str
    stack: str
    since: str
    changes: Sequence[Change]
    unreadable: str = ""

    @property
    def weights_alone(self) -> bool:
        """Whether nothing but weights is unconfirmed."""
        return not self.unreadable and all(_WEIGHTS.match(one.path) for one in self.changes)

    @property
    def retired(self) -> list[str]:
        """The clusters that it takes out of the file."""
        found = [(_CLUSTER.fullmatch(one.path), one) for one in self.changes]
        return [match[1] for match, one in found if match and one.gone]

    @property
    def found(self) -> list[str]:
        """What is so, a text for each value."""
        more = len(self.changes) - _SHOWN
        listed = [str(one) for one in self.changes[:_SHOWN]]
        return [*listed, *([f"{more} more"] if more > 0 else []), *([self.unreadable] if self.unreadable else [])]

    @property
    def cure(self) -> str:
        """What to do: the two ways to settle it, and what a retirement may need besides."""
        ways = f"To take that back: mv {self.copy} {self.file}. To keep what the file says now: rm {self.copy}"
        going = "".join(
            f". It was a retirement of {one}, whose targets may be drained already: then a rollback to it would send "
            f"requests to nothing. To go on with it afterwards: cutover retire {one} -s {self.stack}. To give {one} "
            f"its targets again, in that cluster: {TARGETS}"
            for one in self.retired
        )
        return f"{ways}{going}"

    def __str__(self) -> str:
        head = (
            f"Nobody has confirmed what {self.name} says: a command that edited it was killed ({self.since}), and "
            "since then it says otherwise:"
        )
        return "\n".join([head, *(f"  {one}" for one in self.found), self.cure])
