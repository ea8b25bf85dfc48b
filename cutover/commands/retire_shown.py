"""What `cutover retire` shows: the reasons against it, the plan, and what is left; and the key that has to be typed.

Refuses to own the order of the steps (retire.py), and the reasons (rules/retire.py).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from cutover.commands import tables
from cutover.commands.terminal import Code, attended, messages, results, say, show_json, stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cutover.aws.leftovers import Sweep
    from cutover.rules.retire import Reason
    from cutover.rules.run import Run


def refuse(key: str, against: Sequence[Reason], code: Code, *, as_json: bool) -> NoReturn:
    """End the command with what speaks against it."""
    if as_json:
        said = [{"what": one.what, "cure": one.cure, "acknowledge": one.word} for one in against]
        show_json("retire", _document(key, reasons=said))
    count = "1 reason" if len(against) == 1 else f"{len(against)} reasons"
    listed = "\n".join(f"  {reason}" for reason in against)
    stop(code, f"{key} stays, for {count}; nothing was changed:\n{listed}")


def typed(key: str, goes: str, confirm: str | None) -> None:
    """Have the cluster's key typed, or given: nobody retires a cluster by pressing enter."""
    if confirm is None and not attended():
        stop(Code.USAGE, f"Nobody is here to type the cluster's key. Nothing was changed. Add --confirm {key}")
    answer = confirm if confirm is not None else typer.prompt(f"{goes}. Type its key", err=True)
    if answer != key:
        stop(Code.REFUSED, f"{answer} is not {key}. Nothing was changed")


def show(plan: Run) -> None:
    """Show what a plan does, by kind."""
    counts = Counter((step.op, step.type) for step in plan.steps)
    rows = [(op, type_, str(count)) for (op, type_), count in sorted(counts.items())]
    tables.show(messages, ("Operation", "Type", "Resources"), rows)


def report(key: str, deleted: int, looked: Sweep, *, as_json: bool) -> None:
    """Show that it is done, and what the cluster left behind."""
    if as_json:
        left = [{"kind": one.kind, "id": one.id, "command": one.command} for one in looked.found]
        show_json("retire", _document(key, retired=True, deleted=deleted, left=left, unseen=looked.unseen))
        return
    results.print(f"{key} is gone: {deleted} resources were deleted.", markup=False)
    results.print("Left behind, and not deleted:" if looked.found else "Nothing that it left behind was found.")
    for one in looked.found:
        results.print(f"  {one.kind} {one.id}\n    {one.command}", markup=False)
    for place in looked.unseen:
        say(f"Not looked for: {place}.")


def _document(
    key: str,
    *,
    retired: bool = False,
    reasons: Sequence[Any] = (),
    deleted: int = 0,
    left: Sequence[Any] = (),
    unseen: Sequence[str] = (),
) -> dict[str, Any]:
    return {
        "cluster": key,
        "retired": retired,
        "reasons": list(reasons),
        "deleted": deleted,
        "leftBehind": list(left),
        "unseen": list(unseen),
    }
