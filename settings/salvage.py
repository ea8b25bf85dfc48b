"""What a file says beyond doubt, however broken the rest of it is: by a merge that is half done, or a slip of a hand.

Pure: text in, values out. Refuses to guess: what two sides say differently, what stands there twice and what cannot be
read is in doubt, and whoever asks decides what then counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from settings import dialect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MARK = re.compile(r"(<<<<<<<|\|\|\|\|\|\|\||=======|>>>>>>>)(?: .*)?")
_KEY = re.compile(r"""([ ]*)(["']?)(?P<key>[^\s"'#{}\[\],&*!|>%@`-][^\s"'#{}\[\],]*?)\2[ \t]*:(?:[ \t]|$)""")


@dataclass(frozen=True)
class Salvaged:
    """Values that are certain, and why others are not, by key."""

    values: Mapping[str, Any]
    doubts: Mapping[str, str]


def salvage(text: bytes, section: str | None = None) -> Salvaged:
    """Return what ``text`` says at its top level, or in one ``section`` of it."""
    sides = [_said(side, section) for side in _sides(text.decode("utf-8-sig", errors="replace"))]
    values: dict[str, Any] = {}
    doubts: dict[str, str] = {}
    for key in dict.fromkeys(key for side in sides for key in side):
        said = [side.get(key, []) for side in sides]
        every = [value for values in said for value in values]
        if any(isinstance(value, _Unreadable) or "\N{REPLACEMENT CHARACTER}" in str(value) for value in every):
            doubts[key] = "cannot be read"
        elif not all(said):
            doubts[key] = "stands on one side of a merge conflict alone"
        elif any(value != every[0] for value in every):
            twice = any(value != values[0] for values in said for value in values)
            doubts[key] = "stands twice, with two values" if twice else "has two values in a merge conflict"
        else:
            values[key] = every[0]
    return Salvaged(values, doubts)


class _Unreadable:
    """Stands for a value that is none."""


def _sides(text: str) -> list[str]:
    """Return the text as it would be with either side of all its merge conflicts; what both had before is left out."""
    if not any(map(_MARK.fullmatch, text.splitlines())):
        return [text]
    ours: list[str] = []
    theirs: list[str] = []
    into = both = (ours, theirs)
    after = {"<<<<<<<": (ours,), "|||||||": (), "=======": (theirs,), ">>>>>>>": both}
    conflict = False
    for line in text.splitlines():
        mark = _MARK.fullmatch(line)
        conflict = conflict or (mark is not None and mark[1] == "<<<<<<<")
        if mark and conflict:
            into = after[mark[1]]
            conflict = mark[1] != ">>>>>>>"
            continue
        for side in into:
            side.append(line)
    return ["\n".join(side) for side in ([ours, theirs] if ours != theirs else [ours])]


def _said(text: str, section: str | None) -> dict[str, list[Any]]:
    """Return every value of every key."""
    try:
        whole = dialect.shared(text.encode())
        whole = whole if section is None else whole.get(section)
        return {key: [value] for key, value in (whole or {}).items()}
    except (ValueError, AttributeError):
        pass
    found: dict[str, list[Any]] = {}
    for key, block in _blocks(text.splitlines(), section):
        found.setdefault(key, []).append(_value(block))
    return found


def _value(block: list[str]) -> Any:
    below = block[0].startswith(" ")  # then what is not indented is an error, as in the file
    try:
        says = dialect.shared("\n".join([*(["all:"] if below else []), *block]).encode())
        (value,) = (says["all"] if below else says).values()
    except (ValueError, AttributeError, TypeError, KeyError):
        return _Unreadable()
    return value


def _blocks(lines: list[str], section: str | None) -> Iterator[tuple[str, list[str]]]:
    """Yield every key with its own line and those that follow it; one with a namespace may be indented wrongly."""
    if section is not None:
        lines = list(_inside(lines, section))
    depth = next((len(found[1]) for line in lines if (found := _KEY.match(line))), 0)
    key, block = "", list[str]()
    for line in lines:
        found = _KEY.match(line)
        if found and (len(found[1]) == depth or ":" in found["key"]):
            if key:
                yield key, block
            key, block = found["key"], []
        block.append(line)
    if key:
        yield key, block


def _inside(lines: list[str], section: str) -> Iterator[str]:
    inside = False
    for line in lines:
        found = _KEY.match(line)
        if found and not found[1]:
            inside = found["key"] == section
        elif inside:
            yield line
