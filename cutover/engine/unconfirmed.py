"""An edit of a stack file that outlived its command: what a SIGKILL, a want of memory or a power cut leaves.

While an edit may still be taken back, a copy of the file as it was lies beside it. One that is still there when no
command is at work tells the edit, by value. Owns the copy, and what the file says otherwise since. Refuses to own who
may edit (project.py), and what a command does about it (confirmed.py).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cutover.rules.unconfirmed import Change, Unconfirmed
from settings import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_LONG = 60  # a part of a terminal's line
_NOT_THERE = object()


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
        return Unconfirmed(file.name, _from_here(file), _from_here(copy), stack, since, changes, unreadable)
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
