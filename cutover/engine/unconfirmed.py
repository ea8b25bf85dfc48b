"""An edit of a stack file that outlived its command: what a SIGKILL, a want of memory or a power cut leaves.

While an edit may still be taken back, a copy of the file as it was lies beside it. One that is still there when no
command is at work tells the edit, by value. Owns the copy, and what the file says otherwise since. Refuses to own who
may edit (project.py), and what a command does about it (confirmed.py).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cutover.rules.missing import TARGETS
from settings import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_SHOWN = 8  # values, than which a screen needs no more
_LONG = 60  # a part of a terminal's line
_NOT_THERE = object()
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
    """What nobody has confirmed: ``since`` when, and the ``changes`` of the values, or why they cannot be told."""

    file: Path
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
        file, copy = _from_here(self.file), _from_here(copy_of(self.file))
        ways = f"To take that back: mv {copy} {file}. To keep what the file says now: rm {copy}"
        going = "".join(
            f". It was a retirement of {one}, whose targets may be drained already: then a rollback to it would send "
            f"requests to nothing. To go on with it afterwards: cutover retire {one} -s {self.stack}. To give {one} "
            f"its targets again, in that cluster: {TARGETS}"
            for one in self.retired
        )
        return f"{ways}{going}"

    def __str__(self) -> str:
        head = (
            f"Nobody has confirmed what {self.file.name} says: a command that edited it was killed ({self.since}), and "
            "since then it says otherwise:"
        )
        return "\n".join([head, *(f"  {one}" for one in self.found), self.cure])


def copy_of(file: Path) -> Path:
    """Return where the copy of a stack file is, or would be."""
    return file.with_name(f".{file.name}.cutover")


def keep(file: Path) -> None:
    """Keep a copy of a stack file beside it: all of it or none, whatever ends the process now.

    :raises OSError: it cannot be written
    """
    part = copy_of(file).with_name(f"{copy_of(file).name}~")
    shutil.copy(file, part)
    with part.open("rb") as copied:
        os.fsync(copied.fileno())
    part.replace(copy_of(file))


def drop(file: Path) -> None:
    """Say that nothing is unconfirmed any more."""
    copy_of(file).unlink(missing_ok=True)


def read(file: Path, stack: str) -> Unconfirmed | None:
    """Return what a stack file says otherwise than the copy beside it; no command may be at work meanwhile.

    A copy from which the file no longer differs is settled, and goes. ``stack`` is how `-s` names the stack.

    :raises OSError: nothing tells whether there is a copy
    """
    copy, changes, unreadable = copy_of(file), list[Change](), ""
    try:
        since = f"{datetime.fromtimestamp(copy.stat().st_mtime, UTC):%Y-%m-%d %H:%M} UTC"
    except FileNotFoundError:
        return None
    try:
        if copy.read_bytes() != file.read_bytes():
            changes = list(_changes(_values(copy), _values(file)))
    except (OSError, ValueError) as error:
        unreadable = f"which values, cannot be told: {error}"
    if changes or unreadable:
        return Unconfirmed(file, stack, since, changes, unreadable)
    with suppress(OSError):
        drop(file)
    return None


def _values(file: Path) -> dict[str, Any]:
    """Return what a stack file says, its configuration by full key."""
    says = files.document(file)
    config = says.get("config")
    if not isinstance(config, dict):
        return says
    return {**{key: one for key, one in says.items() if key != "config"}, **config}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], at: str = "") -> Iterator[Change]:
    for key in {**before, **after}:
        path, was, now = f"{at}{key}", before.get(key, _NOT_THERE), after.get(key, _NOT_THERE)
        if was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict) and not files.sealed({"": was}) + files.sealed({"": now}):
            yield from _changes(was, now, f"{path}.")
        elif now is _NOT_THERE:
            yield Change(path, "taken out", gone=True)
        elif was is _NOT_THERE:
            yield Change(path, f"put in{_shown(now, ', ')}")
        else:
            yield Change(path, f"{_shown(was) or 'another value'} -> {_shown(now) or 'a value that is not shown'}")


def _shown(value: Any, before: str = "") -> str:
    """Return a value that a line has room for, and nothing of what is sealed."""
    text = "" if files.sealed({"": value}) else json.dumps(value)
    return f"{before}{text}" if 0 < len(text) <= _LONG else ""


def _from_here(path: Path) -> str:
    """Return a path as a shell takes it where the command was given."""
    try:
        return shlex.quote(os.path.relpath(path))
    except OSError:
        return shlex.quote(str(path))
