"""The way of new weights to AWS: judge, ask, apply the rules alone, read back, verify.

Owns how it ends where it may not go on. Refuses to own which weights are asked for (shift.py, promote.py).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NoReturn

from cutover.aws import account
from cutover.aws.live import Live
from cutover.aws.session import LiveError
from cutover.commands import probing, tables
from cutover.commands.confirmed import Confirmed
from cutover.commands.terminal import Code, confirm, messages, say, stop
from cutover.engine.project import rules
from cutover.rules import gate, judgement
from cutover.rules.judgement import Kind
from cutover.rules.shift import alike, drifted, live_weights, routes_of, said, wanted, with_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cutover.commands.opened import Opened
    from cutover.rules.account import Account
    from cutover.rules.found import Found
    from cutover.rules.move import Hold
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


def carry_out(
    here: Opened,
    ask: Callable[[Settings], Mapping[str, int]],
    route: str | None = None,
    *,
    yes: bool,
    probed: str | None = None,
) -> tuple[Settings, list[Row]]:
    """Shift: judge, ask, apply, read back, verify. Return the settings after it, and what moved.

    What ``ask`` wants of the present settings need not name every cluster. Who gets a first share is asked the probes
    of its routes, and the cluster ``probed`` at every share. Ends the command where it may not move.

    :raises ShiftError: what is asked for is no shift
    :raises LiveError: AWS could not be read
    """
    with here.project.alone():
        here.check_settled()
        file, settings = here.project.content(), here.reread()
        moving = routes_of(settings, route)
        present = settings.weights_of(route) if route else settings.weights
        weights = wanted(present, ask(settings))
        after = with_weights(settings, weights, route)
        aws = here.live
        seen = account.read(aws, after)
        here.check_free(seen.found.hold)
        here.check_forwarding(seen.found)
        here.check_whole(seen.found)
        _check_drift(here, settings, seen, moving if weights == present else [])
        behind = drifted(after, live_weights(seen.found))
        if weights == present and not behind:
            say(f"{said(weights)}: the stack file and AWS say so already.")
            return after, []
        rows = [row for name in moving for row in _rows(seen, name, weights)]
        probing.check(here, seen, dict.fromkeys(moving, weights), probed)
        with here.project.tentative(say) as keep:
            Confirmed(file, seen.found).check(here.project, seen.found)
            here.project.write_weights(weights, route)
            judged = Confirmed(here.project.content(), seen.found)
            if weights == present:
                # It was begun before, or somebody moved the rules: the state may remember neither.
                _check_run(here, here.project.refresh(rules(moving)), "AWS was not read")
            plan = here.project.preview_outside()
            _check_plan(here, plan, seen)
            _show(rows)
            _tell_short(here, rows)
            confirm(f"Move {', '.join(moving)}?", yes=yes)
            judged.check(here.project, aws.find())
            keep()
            # What serves is protected, and what no longer does is not: that is a part of the plan, too.
            run = here.project.up([*rules(moving), *(step.urn for step in plan.kept)])
            found = _read_back(here, aws, run)
            live = live_weights(found)
            late = _late(after, live, moving)
            keep(no=found.hold is not None or bool(run.failure and late == moving))
            if found.hold is not None:
                _stop_held(found.hold, run, here, live, moving)
            if run.failure or late:
                _stop_midway(here, run, after, route, live=live, moving=moving)
            if failure := here.project.follow(plan.kept):
                say(f"The next pulumi up protects what begins to serve inside the clusters. Now: {failure}", "yellow")
        _verify(here, aws, after, rows)
    return after, rows


def _check_drift(here: Opened, settings: Settings, seen: Account, asked_again: Sequence[str]) -> None:
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
    as_filed = as_command(
        here, settings.weights_of(first), first if settings.routes[first].weights is not None else None
    )
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


def _check_plan(here: Opened, plan: Run, seen: Account) -> None:
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


def _check_run(here: Opened, run: Run, what: str) -> None:
    if any(words in run.failure for words in _LOCKED):
        lock = here.project.locked()
        cure = lock.cure(here.named) if lock else "Wait until that is done"
        stop(Code.BUSY, f"{run.failure.strip()}\nNothing was changed. {cure}, then run the same again")
    if run.failure:
        stop(Code.FAILED, f"{run.failure.strip()}\n{what}, and nothing was changed. Mend that, then run the same again")


def _read_back(here: Opened, aws: Live, run: Run) -> Found:
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
    hold: Hold, run: Run, here: Opened, live: Mapping[str, Mapping[str, int]], moving: Sequence[str]
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
    here: Opened,
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
                Code.REFUSED,
                f"{run.failure.strip()}\nNo route has moved. To see more: cutover status -s {here.named}",
            )
        _check_run(here, run, "No route has moved")
    lines = [f"  {name}: {'has' if name in late else 'moved to'} {said(live.get(name, {}))}" for name in moving]
    again = as_command(here, after.weights_of(moving[0]), route)
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


def _verify(here: Opened, aws: Live, after: Settings, rows: Sequence[Row]) -> None:
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


def _tell_short(here: Opened, rows: Sequence[Row]) -> None:
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


def as_command(here: Opened, weights: Mapping[str, int], route: str | None) -> str:
    """Return the shift that asks for weights."""
    shares = " ".join(f"{cluster}={weight}" for cluster, weight in weights.items())
    return f"cutover shift {shares}{f' --route {route}' if route else ''} -s {here.named}"
