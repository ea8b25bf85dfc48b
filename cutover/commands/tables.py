"""Tables that a terminal of any width can hold: a phone at 3 a.m. has 40 columns.

Owns which columns go first, and that no name is lost: where a line is too short, names are folded, and the columns that
a table can spare are left out. Refuses to own what stands in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rich.console import Console

_NAME = 12  # columns into which a longer name is folded at the narrowest


def show(
    console: Console,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Collection[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Print rows under headings: ``numbers`` to the right and whole, and ``spare`` left out in that order."""
    kept, table = list(headings), Table(box=SIMPLE)
    cells = dict(zip(headings, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(headings, ())
    width = {one: [_width(text) for text in (one, *cells[one])] for one in headings}
    fits = sum(max(width[one]) + 3 for one in headings) + 1 <= console.width
    least = {one: max(width[one]) if one in numbers else min(_NAME, max(width[one])) for one in headings}
    for one in () if fits else spare:
        if sum(least[other] + 2 for other in kept) - 2 <= console.width:
            break
        kept.remove(one)
    if not fits:
        table.show_edge, table.pad_edge, table.padding = False, False, (0, 1, 0, 0)
    for one in kept:
        number = one in numbers
        table.add_column(one, justify="right" if number else "left", overflow="fold", no_wrap=number)
    for row in rows:
        table.add_row(*(cell for one, cell in zip(headings, row, strict=True) if one in kept))
    console.print(table, soft_wrap=False)


def _width(text: str) -> int:
    return max((len(line) for line in text.split("\n")), default=0)
