"""`cutover shift`: the edit of the weights and its way to AWS, in one go, or the edit alone for a pull request.

Owns the order of it: nothing is touched before all is known, and the stack file is as it was, byte for byte, after
every end before the first rule moves. Refuses to own the rules (shift.py, gate.py, judgement.py).
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cutover.aws import account
from cutover.aws.live import Live
from cutover.aws.session import LiveError, session
from cutover.commands import tables
from cutover.commands.confirmed import Confirmed, check_settled
from cutover.commands.terminal import (
    Code,
    FolderOption,
    JsonOption,
    StackOption,
    YesOption,
    confirm,
    documented,
    messages,
    project,
    results,
    say,
    show_json,
    stop,
)
from cutover.engine.project import rules
from cutover.rules import gate, judgement
from cutover.rules.judgement import Kind
from cutover.rules.missing import missing
from cutover.rules.shift import (
    ShiftError,
    alike,
    drifted,
    live_weights,
    not_forwarding,
    parse,
    routes_of,
    said,
    wanted,
    with_weights,
)
from settings.values import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from cutover.engine.project import Project
    from cutover.rules.account import Account
    from cutover.rules.found import Found
    from cutover.rules.run import Run
    from settings import Settings

PROPAGATION_SECONDS = 5.0
"""How long ELB is given until new weights count on all of its nodes. It documents no bound."""

_LOCKED = ("currently locked by", "Another update is currently in progress")


@dataclass(frozen=True)
class Row:
    """A cluster in a route that moves: its weights, and its healthy targets against those that its new share needs."""

    route: str
    cluster: str
    before: int
    after: int
    healthy: int
    needed: int


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
    with documented("shift", as_json=as_json), asked_rightly():
        asked, here = parse(shares), project(folder, stack)
        if write_only:
            after, moved = write(here, asked, route), list[Row]()
        else:
            after, moved = carry_out(here, lambda _: asked, route, yes=yes)
        weights = after.weights_of(route) if route else after.weights
    if as_json:
        rows = [vars(row) for row in moved]
        document = {"applied": not write_only, "weights": weights, "route": route, "moved": rows}
        show_json("shift", {"stack": here.stack, **document})
    elif write_only:
        results.print(f"{here.file_name}: {said(weights)}", markup=False)
        say(f"Nothing has moved. Commit it and open a pull request; once it is applied: cutover status -s {here.named}")
    else:
        for name in dict.fromkeys(row.route for row in moved):
            changes = [f"{row.cluster} {row.before} -> {row.after}" for row in moved if row.route == name]
            results.print(f"{name}: {', '.join(changes)}", markup=False)
        going_on = f"{_next(here, after, weights, route)}, or back at once: cutover rollback -s {here.named}"
        say(f"Next: {going_on if moved else f'cutover status -s {here.named}'}")


def write(here: Project, asked: Mapping[str, int], route: str | None) -> Settings:
    """Edit the stack file alone, and return what it now says.

    :raises ShiftError: what is asked for is no shift
    """
    with here.alone():
        check_settled(here)
        settings = here.settings()  # which tells that there is no such stack, before its file is looked for
        if route is not None and route not in settings.routes:
            routes_of(settings, route)
        weights = wanted(settings.weights_of(route) if route else settings.weights, asked)
        with here.tentative(say) as keep:
            here.write_weights(weights, route)
            after = here.settings()
            keep()
    return after


def carry_out(
    here: Project, ask: Callable[[Settings], Mapping[str, int]], route: str | None = None, *, yes: bool
) -> tuple[Settings, list[Row]]:
    """Shift: judge, ask, apply, read back, verify. Return the settings after it, and what moved.

    What ``ask`` wants of the present settings need not name every cluster. Ends the command where it may not move.

    :raises ShiftError: what is asked for is no shift
    :raises LiveError: AWS could not be read
    """
    with here.alone():
        check_settled(here)
        file, settings = here.content(), here.settings()
        moving = routes_of(settings, route)
        present = settings.weights_of(route) if route else settings.weights
        weights = wanted(present, ask(settings))
        after = with_weights(settings, weights, route)
        aws = Live(session(settings.aws), here.owner)
        seen = account.read(aws, after)
        _check_free(here, seen.found.hold)
        check_forwarding(here, seen.found)
        check_whole(here, settings, seen.found)
        _check_drift(here, settings, seen, moving if weights == present else [])
        behind = drifted(after, live_weights(seen.found))
        if weights == present and not behind:
            say(f"{said(weights)}: the stack file and AWS say so already.")
            return after, []
        rows = [row for name in moving for row in _rows(seen, name, weights)]
        with here.tentative(say) as keep:
            Confirmed(file, seen.found).check(here, seen.found)
            here.write_weights(weights, route)
            judged = Confirmed(here.content(), seen.found)
            if weights == present:
                # It was begun before, or somebody moved the rules: the state may remember neither.
                _check_run(here, here.refresh(rules(moving)), "AWS was not read")
            plan = here.preview_outside()
            _check_plan(here, plan, seen)
            _show(rows)
            _tell_short(here, rows)
            confirm(f"Move {', '.join(moving)}?", yes=yes)
            judged.check(here, aws.find())
            keep()
            # What serves is protected, and what no longer does is not: that is a part of the plan, too.
            run = here.up([*rules(moving), *(step.urn for step in plan.kept)])
            found = _read_back(here, aws, run)
            live = live_weights(found)
            late = _late(after, live, moving)
            keep(no=found.hold is not None or bool(run.failure and late == moving))
            if found.hold is not None:
                _stop_held(found.hold, run, here, live, moving)
            if run.failure or late:
                _stop_midway(here, run, after, route, live=live, moving=moving)
            if failure := here.follow(plan.kept):
                say(f"The next pulumi up protects what begins to serve inside the clusters. Now: {failure}", "yellow")
        _verify(here, aws, after, rows)
    return after, rows


@contextmanager
def asked_rightly() -> Generator[None]:
    """Turn what is no shift into a message and an exit code."""
    try:
        yield
    except ShiftError as error:
        stop(Code.USAGE, str(error))


def _check_free(here: Project, hold: gate.Hold | None) -> None:
    if hold is not None:
        stop(
            Code.BUSY,
            f"{hold} holds the weights. Nothing was changed. Once the reason is gone: cutover release -s {here.named}",
        )
    if lock := here.locked():
        stop(
            Code.BUSY,
            f"the stack is locked by {lock}. Nothing was changed. {lock.cure(here.named)}; then look with cutover "
            f"status -s {here.named}, and run the same again",
        )


def check_forwarding(here: Project, found: Found) -> None:
    """Refuse where a weighted rule forwards to nothing: it is neither missing nor at weight 0."""
    if text := not_forwarding(found, here.named):
        stop(Code.REFUSED, text)


def check_whole(here: Project, settings: Settings, found: Found) -> None:
    """End the command where AWS lacks what the stack file has: the other routes would move, and not that one."""
    if lacking := missing(settings, found, here.named):
        listed = "\n".join(f"  {one}." for one in lacking)
        stop(
            Code.REFUSED,
            f"AWS lacks what {here.file_name} has. Nothing was changed, since it would fail halfway:\n{listed}\n"
            f"Then run the same again. To see more: cutover status -s {here.named}",
        )


def _check_drift(here: Project, settings: Settings, seen: Account, asked_again: Sequence[str]) -> None:
    """Refuse where AWS has other weights than the stack file, but for routes that are asked to have the file's."""
    found = {
        name: live for name, live in drifted(settings, live_weights(seen.found)).items() if name not in asked_again
    }
    if not found:
        return
    lines = [
        f"  {name}: AWS has {said(live)}; the file {said(settings.weights_of(name))}" for name, live in found.items()
    ]
    first = next(iter(found))
    as_filed = _command(here, settings.weights_of(first), first if settings.routes[first].weights is not None else None)
    stop(
        Code.REFUSED,
        "\n".join(
            [
                "AWS has other weights than the stack file. Nothing was changed: a shift from there would move traffic "
                "that nobody asked to move.",
                *lines,
                f"To have what the file says: {as_filed}. To keep what AWS has, write it into the file first, with "
                f"--write-only. To see more: cutover status -s {here.named}",
            ]
        ),
    )


def _check_plan(here: Project, plan: Run, seen: Account) -> None:
    """Refuse a plan that fails, or holds anything but the shift."""
    if gate.REFUSES in plan.failure:
        stop(
            Code.REFUSED,
            f"{plan.failure.strip()}\nNothing was changed. To see more: cutover status -s {here.named}",
        )
    _check_run(here, plan, "The plan could not be made")
    if broken := judgement.violations(plan, seen.found.serving, seen.found.rules):
        text = "\n".join(f"  {violation}" for violation in broken)
        stop(Code.REFUSED, f"the plan may not be applied. Nothing was changed.\n{text}")
    if judgement.kind(plan) not in {Kind.SHIFT, Kind.PROTECTION, Kind.NOTHING}:
        stop(
            Code.REFUSED,
            f"the plan holds more than the shift: {plan.summary()}. Nothing was changed: a shift would bring the rest "
            "along at the next pulumi up. Apply that first, with pulumi up, or take it out of the file; then run the "
            "same again",
        )


def _check_run(here: Project, run: Run, what: str) -> None:
    if any(words in run.failure for words in _LOCKED):
        lock = here.locked()
        cure = lock.cure(here.named) if lock else "Wait until that is done"
        stop(Code.BUSY, f"{run.failure.strip()}\nNothing was changed. {cure}, then run the same again")
    if run.failure:
        stop(Code.FAILED, f"{run.failure.strip()}\n{what}, and nothing was changed. Mend that, then run the same again")


def _read_back(here: Project, aws: Live, run: Run) -> Found:
    try:
        return aws.find()
    except LiveError as error:
        said = f"{run.failure.strip()}\nThe update has failed" if run.failure else "The update is done"
        stop(
            Code.FAILED,
            f"{said}, and AWS could not be read since: {error}. So the weights may have moved, and the stack file has "
            f"the new ones. Look with cutover status -s {here.named}. To go back: cutover rollback -s {here.named}",
        )


def _stop_held(
    hold: gate.Hold, run: Run, here: Project, live: Mapping[str, Mapping[str, int]], moving: Sequence[str]
) -> NoReturn:
    """End a shift that somebody has rolled back while it was under way."""
    lines = [f"  {name}: has {said(live.get(name, {}))}" for name in moving]
    stop(
        Code.BUSY,
        "\n".join(
            [
                f"{hold} holds the weights. It came while this shift was under way, and takes back what had moved. "
                f"{here.file_name} does not have the new weights. Of the routes:",
                *lines,
                *([run.failure.strip()] if run.failure else []),
                f"Look with cutover status -s {here.named}; once the reason is gone: cutover release -s {here.named}",
            ]
        ),
    )


def _stop_midway(
    here: Project,
    run: Run,
    after: Settings,
    route: str | None,
    *,
    live: Mapping[str, Mapping[str, int]],
    moving: Sequence[str],
) -> None:
    late = _late(after, live, moving)
    if run.failure and late == moving:
        if gate.REFUSES in run.failure:
            stop(
                Code.REFUSED, f"{run.failure.strip()}\nNo route has moved. To see more: cutover status -s {here.named}"
            )
        _check_run(here, run, "No route has moved")
    lines = [f"  {name}: {'has' if name in late else 'moved to'} {said(live.get(name, {}))}" for name in moving]
    again = _command(here, after.weights_of(moving[0]), route)
    stop(
        Code.FAILED,
        "\n".join(
            [
                run.failure.strip() or "the engine says that it is done, and AWS has other weights",
                "Of the routes:" if late else "All routes have moved, but the rest of the update failed:",
                *lines,
                f"To go on: {again}, or pulumi up. To go back: cutover rollback -s {here.named}",
            ]
        ),
    )


def _late(after: Settings, live: Mapping[str, Mapping[str, int]], moving: Sequence[str]) -> list[str]:
    """Return the routes that do not have their new weights in AWS."""
    return [name for name in moving if not alike(live.get(name, {}), after.weights_of(name))]


def _verify(here: Project, aws: Live, after: Settings, rows: Sequence[Row]) -> None:
    """See that what has a share still has healthy targets once the weights count: ELB fails open where none is."""
    say(f"AWS has the new weights. Waiting {PROPAGATION_SECONDS:g} s until they count everywhere.")
    time.sleep(PROPAGATION_SECONDS)
    try:
        seen = account.read(aws, after, everything=True)
    except LiveError as error:
        stop(
            Code.FAILED,
            f"the weights have moved, and AWS could not be read since: {error}. So nothing tells whether targets are "
            f"healthy. Look with cutover status -s {here.named}. To go back: cutover rollback -s {here.named}",
        )
    moving = dict.fromkeys(row.route for row in rows)
    there = [row for name in moving for row in _rows(seen, name, after.weights_of(name))]
    lost = {f"{row.route}: {row.cluster}" for row in there if row.after and not row.healthy}
    already = {f"{row.route}: {row.cluster}" for row in rows if row.before and not row.healthy}
    if new := sorted(lost - already):
        stop(
            Code.FAILED,
            f"the weights have moved, and no target is healthy any more in {', '.join(new)}: requests are being "
            f"lost. To go back: cutover rollback -s {here.named}",
        )
    if lost:
        stop(
            Code.FAILED,
            f"the weights have moved, and as before no target is healthy in {', '.join(sorted(lost))}: requests that "
            f"go there are lost. To see why: cutover status {there[0].cluster} -s {here.named}",
        )


def _rows(seen: Account, route: str, weights: Mapping[str, int]) -> list[Row]:
    move, before = seen.move(route, weights), live_weights(seen.found).get(route, {})
    rows: list[Row] = []
    for cluster, weight in weights.items():
        arn = seen.found.group_of(route, cluster)
        healthy = seen.health[arn].units if arn and arn in seen.health else 0
        needed = gate.need(move, seen.policy, arn, Fraction(weight, sum(weights.values()))) if weight else 0
        rows.append(Row(route, cluster, before.get(cluster, 0), weight, healthy, needed))
    return rows


def _show(rows: Sequence[Row]) -> None:
    numbers = ("from", "to", "healthy/needed")
    cells = [
        (row.route, row.cluster, str(row.before), str(row.after), f"{row.healthy}/{row.needed}" if row.after else "-")
        for row in rows
    ]
    tables.show(messages, ("route", "cluster", *numbers), cells, numbers=numbers, spare=numbers[-1:])


def _tell_short(here: Project, rows: Sequence[Row]) -> None:
    """Say before the question which clusters have too few healthy targets for what they are to get."""
    for row in rows:
        if not row.after or row.healthy >= row.needed:
            continue
        lost = "" if row.healthy else ", and requests that go there are lost"
        say(
            f"{row.route}: {row.cluster} has {row.healthy} of {row.needed} healthy targets that its share needs"
            f"{lost}{', as before' if row.before else ''}. To see why: cutover status {row.cluster} -s {here.named}",
            "yellow",
        )


def _next(here: Project, settings: Settings, weights: Mapping[str, int], route: str | None) -> str:
    """Return the command that goes on: to the next step of the rollout, or to retire what serves nowhere."""
    newest, total = max(weights, key=version_of), sum(weights.values())
    step = next((step for step in settings.rollout.steps if step * total > 100 * weights[newest]), None)
    if step is not None:
        return _command(here, {newest: round(step * total / 100)}, route)
    idle = next((cluster for cluster in weights if not settings.serving(cluster)), None)
    return f"cutover retire {idle} -s {here.named}" if idle else f"cutover status -s {here.named}"


def _command(here: Project, weights: Mapping[str, int], route: str | None) -> str:
    """Return the shift that asks for weights."""
    shares = " ".join(f"{cluster}={weight}" for cluster, weight in weights.items())
    return f"cutover shift {shares}{f' --route {route}' if route else ''} -s {here.named}"
