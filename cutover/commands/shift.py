"""`cutover shift`: the edit of the weights and its way to AWS, in one go, or the edit alone for a pull request.

Owns the order of it: nothing is touched before all is known, and the stack file is as it was, byte for byte, after
every end before the first rule moves. Refuses to own the rules (shift.py, gate.py, judgement.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cutover.commands.moving import Row, as_command, carry_out
from cutover.commands.opened import Opened, opened
from cutover.commands.terminal import FolderOption, JsonOption, StackOption, YesOption, results, say
from cutover.rules.shift import parse, routes_of, said, wanted
from settings.values import newest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings import Settings


def shift(
    shares: Annotated[list[str], typer.Argument(metavar="KEY=WEIGHT", help="Weights by cluster, 0 to 999.")],
    route: Annotated[
        str | None, typer.Option("--route", "-r", metavar="ROUTE", help="Move this route alone, by its own weights.")
    ] = None,
    stack: StackOption = None,
    folder: FolderOption = Path(),
    *,
    write_only: Annotated[
        bool, typer.Option("--write-only", help="Edit the stack file alone, for a pull request.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give clusters new weights: judge, apply the rules alone, read back, verify.

    Clusters that are not named keep their proportions in the rest of the sum.

    Example: cutover shift v1-36=10 -s prod
    JSON: docs/json.md
    """
    with opened("shift", folder, stack, as_json=as_json) as here:
        asked = parse(shares)
        if write_only:
            after, moved = write(here, asked, route), list[Row]()
        else:
            after, moved = carry_out(here, lambda _: asked, route, yes=yes)
        weights = after.weights_of(route) if route else after.weights
    if as_json:
        rows = [vars(row) for row in moved]
        document = {"applied": not write_only, "weights": weights, "route": route, "moved": rows}
        here.show({"stack": here.project.stack, **document})
    elif write_only:
        results.print(f"{here.file_name}: {said(weights)}", markup=False)
        say(f"Nothing has moved. Commit it and open a pull request; once it is applied: cutover status -s {here.named}")
    else:
        for name in dict.fromkeys(row.route for row in moved):
            changes = [f"{row.cluster} {row.before} -> {row.after}" for row in moved if row.route == name]
            results.print(f"{name}: {', '.join(changes)}", markup=False)
        going_on = f"{_next(here, after, weights, route)}, or back at once: cutover rollback -s {here.named}"
        say(f"Next: {going_on if moved else f'cutover status -s {here.named}'}")


def write(here: Opened, asked: Mapping[str, int], route: str | None) -> Settings:
    """Edit the stack file alone, and return what it now says.

    :raises ShiftError: what is asked for is no shift
    """
    with here.project.alone():
        here.check_settled()
        settings = here.reread()  # which tells that there is no such stack, before its file is looked for
        if route is not None and route not in settings.routes:
            routes_of(settings, route)
        weights = wanted(settings.weights_of(route) if route else settings.weights, asked)
        with here.project.tentative(say) as keep:
            here.project.write_weights(weights, route)
            after = here.reread()
            keep()
    return after


def _next(here: Opened, settings: Settings, weights: Mapping[str, int], route: str | None) -> str:
    """Return the command that goes on: to the next step of the rollout, or to retire what serves nowhere."""
    last, total = newest(weights), sum(weights.values())
    if last is None:
        return f"cutover status -s {here.named}"
    step = next((step for step in settings.rollout.steps if step * total > 100 * weights[last]), None)
    if step is not None:
        return as_command(here, {last: round(step * total / 100)}, route)
    idle = next((cluster for cluster in weights if not settings.serving(cluster)), None)
    return f"cutover retire {idle} -s {here.named}" if idle else f"cutover status -s {here.named}"
