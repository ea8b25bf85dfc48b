"""Tables on terminals of any width: names and weights stay, whatever else has to go."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from cutover.commands import tables

LONG = "checkout-payment-service"


def shown(columns: int, name: str = LONG) -> str:
    console = Console(file=StringIO(), width=columns, soft_wrap=True, highlight=False)
    numbers = ("from", "to", "healthy/needed")
    rows = [(name, "v1-35-b", "900", "100", "12/10"), (name, "v1-36-b", "99", "899", "12/10")]
    tables.show(console, ("route", "cluster", *numbers), rows, numbers=numbers, spare=("healthy/needed",))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_names_and_weights_stay_whole_on_a_narrow_terminal(columns: int) -> None:
    text = shown(columns)
    lines = [line.split() for line in text.splitlines()]
    assert max(map(len, text.splitlines())) <= columns
    assert "".join(line[0] for line in lines[2:] if line and line[0] in LONG).count(LONG) == 2
    assert [line[1:4] for line in lines if "v1-35-b" in line] == [["v1-35-b", "900", "100"]]
    assert [line[1:4] for line in lines if "v1-36-b" in line] == [["v1-36-b", "99", "899"]]


def test_what_can_be_spared_goes_only_where_the_line_is_short() -> None:
    assert "healthy/needed" in shown(80)
    assert "healthy/needed" not in shown(40)
    assert "healthy/needed" in shown(50, "web")
