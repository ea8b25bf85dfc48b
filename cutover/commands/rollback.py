"""`cutover rollback`: all traffic back to the older cluster, at once, and kept there.

Owns the order of acts: what makes clients safe comes first (hold, rules), what only keeps records comes last (stack
file, state), and a failure of the one never stops the other. Refuses to own where it lands (rollback.py).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover import calls
from cutover.commands import rollback_plan, terminal
from cutover.commands.opened import opened
from cutover.commands.rollback_plan import Act, Asked, changed, lacking_in, landed_now, plan, show
from cutover.commands.rollback_records import again, keep_records
from cutover.commands.terminal import (
    Code,
    FolderOption,
    JsonOption,
    StackOption,
    YesOption,
    confirm,
    messages,
    results,
    say,
    show_json,
)
from cutover.ending import heed, undisturbed
from cutover.rules.rollback import elsewhere, enough, reached

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from cutover.engine.project import Project


_HOLD_SECONDS = 20.0
_ATTEMPTS = 4
_PAUSE_SECONDS = 1.0  # before what AWS has refused is tried again


def rollback(
    *,
    stack: StackOption = None,
    cwd: FolderOption = Path(),
    to: Annotated[
        str | None, typer.Option("--to", metavar="KEY", help="The cluster to go to, else the older one.")
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Move each route only as far as it is covered.")] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the hold tells it to others.")] = "",
    as_json: JsonOption = False,
    yes: YesOption = False,
) -> None:
    """Move all traffic back to the older cluster at once, and hold it there.

    Works while the state is locked, the stack file is broken or a cluster is
    dead. All other weights are refused until `cutover release`. Run again, it
    only ends what was left. Ctrl-C ends what it does once traffic has moved.

    Example: cutover rollback -s prod --reason "5xx on checkout" --yes
    JSON: docs/json.md
    """
    with opened("rollback", cwd, stack, as_json=as_json) as here:
        go_back(here.project, to, partial=partial, reason=reason, as_json=as_json, yes=yes)


def go_back(
    known: Project,
    to: str | None,
    *,
    routes: Collection[str] | None = None,
    partial: bool = False,
    reason: str = "",
    as_json: bool = False,
    yes: bool,
) -> None:
    """Roll back all routes or some of them; the others stay, and are held where they are.

    :raises typer.Exit: it failed, or is unfinished
    :raises LiveError: AWS could not be read
    """
    act = plan(known, to, routes, partial=partial, reason=reason)
    show(act, messages if as_json else results)
    confirm(f"Move {known.stack} to {act.key} as shown?", yes=yes)
    while not yes and changed(act):
        shown, act = act, plan(known, act.key, routes, partial=partial, reason=reason)
        if act.lands == shown.lands:
            break
        show(act, messages if as_json else results)
        confirm(f"Move {known.stack} to {act.key} as shown now?", yes=yes)
    with undisturbed():  # a rollback that is half done helps nobody
        done = _move(act)
    kept = elsewhere((one for one in act.landed if routes is None or one.route in routes), act.key, known.named)
    left, interrupted = [*done.left, *kept], False
    try:
        heed()
        left += keep_records(act)
    except KeyboardInterrupt:
        interrupted = True
        left.append(
            f"Interrupted: {known.file_name} and the state may not say it yet, and an update that is under way may "
            "move traffic again"
        )
    except Exception as error:  # whatever it is, it is told as what is left of a rollback that has moved traffic
        left.append(f"{known.file_name} and the state may not say it yet: {error}")
    finally:
        failed = act.writes.set_weights(act.wanted).failed
    act = landed_now(act)
    kept += (lacking := lacking_in(act))
    left += lacking
    _tell(act, left, failed, safe=not (failed or kept or interrupted))
    if as_json:
        show_json("rollback", _document(act, done, left))
    if failed:
        raise typer.Exit(Code.FAILED)
    if left:
        raise typer.Exit(terminal.interrupted() if interrupted else Code.UNFINISHED)


@dataclass(frozen=True)
class _Done:
    moved: int
    seconds: float
    left: Sequence[str]


def _move(act: Act) -> _Done:
    """Leave the hold, then move all rules, and see in AWS that they have moved."""
    begin = time.monotonic()
    left: list[str] = []
    hold = Asked(lambda: act.writes.hold(act.hold))
    hold.by(begin + rollback_plan.LOOK_SECONDS, None)
    outcome = act.writes.set_weights(act.wanted)
    moved, seconds = len(outcome.moved), time.monotonic() - begin
    say(f"{_rules(moved)} moved in {seconds:.2f} s.")
    for _ in range(_ATTEMPTS):
        _tell_failed(act, outcome.failed)
        if outcome.failed:
            time.sleep(_PAUSE_SECONDS)
        refused, outcome = outcome.failed, again(act, outcome.failed)
        moved += sum(rule in refused for rule in outcome.moved)
        if not outcome.moved and not outcome.failed:
            break
    with calls.waiting("ssm PutParameter, which leaves the hold"):
        hold.by(begin + _HOLD_SECONDS, None)
    if not hold.answered:
        left.append(f"No hold could be left, so any `pulumi up` may move traffic again: {hold.error}")
    return _Done(moved, seconds, left)


def _tell_failed(act: Act, failed: Mapping[str, str]) -> None:
    for landing in (landing for landing in act.landed if landing.rule in failed):
        say(f"{landing.route} could not be moved: {failed[landing.rule]}", "red")


def _tell(act: Act, left: Sequence[str], failed: Mapping[str, str], *, safe: bool) -> None:
    _tell_failed(act, failed)
    for landing in (landing for landing in act.landed if landing.rule not in failed):
        say(reached(landing), "" if enough(landing) else "yellow")
    for one in left:
        say(one, "yellow")
    if failed or left:
        safe = safe and all(enough(landing) for landing in act.landed)
        say(f"{'Traffic is safe. ' if safe else ''}Once that is mended, end it with: {act.again}")
        return
    say(
        f"AWS, {act.project.file_name} and the state agree. Commit {act.project.file_name}. Once the reason is gone: "
        f"cutover release -s {act.project.named}"
    )


def _document(act: Act, done: _Done, left: Sequence[str]) -> dict[str, Any]:
    return {
        "stack": act.project.stack,
        "to": act.key,
        "routes": [
            {
                "route": landing.route,
                "before": dict(landing.before),
                "after": dict(landing.after),
                "healthy": landing.units,
                "needed": landing.needed,
                "covered": None if landing.covered is None else float(landing.covered),
                "note": landing.note,
            }
            for landing in act.landed
        ],
        "moved": done.moved,
        "seconds": round(done.seconds, 3),
        "hold": {"who": act.hold.who, "why": act.hold.why, "when": act.hold.when, "version": act.hold.version},
        "left": list(left),
    }


def _rules(count: int) -> str:
    return f"{count or 'No'} {'rule' if count == 1 else 'rules'}"
