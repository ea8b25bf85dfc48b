"""`cutover promote`: the steps of a rollout, unattended; each is a shift, a wait, and a judgement by metrics.

Owns the loop, and keeps nothing: what is live in AWS tells the step, so that it can be killed at any moment and run
again. Refuses to own the shift (commands/shift.py), the verdicts (promote.py) and the way back (commands/rollback.py).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.table import Table

from cutover import minutes
from cutover.commands.rollback import go_back
from cutover.commands.shift import asked_rightly, carry_out, check_forwarding
from cutover.live import Live, LiveError, session
from cutover.minutes import together
from cutover.promote import Judgement, Verdict, disturbed, entry, judge, overall, share, weights_at
from cutover.shift import live_weights, routes_of, said
from cutover.terminal import (
    Code,
    FolderOption,
    JsonOption,
    StackOption,
    YesOption,
    confirm,
    project,
    results,
    say,
    show_json,
    stop,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import boto3

    from cutover.live import Found
    from cutover.minutes import Traffic
    from cutover.project import Project
    from settings import Settings

_AGAIN_SECONDS = 30
"""How long a promotion holds where AWS could not be read before a step."""

_LOOK_BACK = timedelta(hours=1)
"""How far back the old clusters are looked for, where a promotion goes on at the last step and has not seen them."""


@dataclass(frozen=True)
class _Told:
    """A judgement that was made, and at which step."""

    step: int
    judgement: Judgement


@dataclass
class _Rollout:
    """A promotion under way, at ``step`` percent.

    ``old`` is what the old clusters had in the last window in which they served, by route. ``way_back`` is the cluster
    that a rollback goes to, and None where none can be told.
    """

    here: Project
    settings: Settings
    account: boto3.Session
    key: str
    routes: Sequence[str]
    step: int = 0
    way_back: str | None = None
    told: list[_Told] = field(default_factory=list[_Told])
    old: dict[str, Traffic] = field(default_factory=dict[str, "Traffic"])

    def renew(self) -> None:
        """Take new credentials: a promotion may take longer than those of a role last."""
        self.account = session(self.settings.aws)

    @property
    def live(self) -> Live:
        """Reads of AWS."""
        return Live(self.account, self.here.owner)


def promote(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The cluster that shall get all traffic.")],
    stack: StackOption = None,
    folder: FolderOption = Path(),
    *,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Bring a cluster to all traffic in the steps of `rollout`, judging each.

    A step that fails against the old clusters is rolled back, with exit code 5,
    or that of a rollback that is unfinished or fails; one that cannot be judged
    waits. Ended and run again at any moment, it goes on from what is live.

    Example: cutover promote v1-36 -s prod --yes
    JSON: docs/json.md
    """
    with told(), asked_rightly():
        here = project(folder, stack)
        settings = here.settings()
        if key not in settings.clusters:
            stop(
                Code.USAGE, f"there is no cluster {key}. Nothing was changed. There are {', '.join(settings.clusters)}"
            )
        rollout = _Rollout(here, settings, session(settings.aws), key, routes_of(settings, None))
        found = rollout.live.find()
        _check_hold(here, found)
        check_forwarding(here, found)
        shares = [share(live, key) for route, live in live_weights(found).items() if route in rollout.routes]
        if not shares:
            stop(Code.USAGE, "no weighted rule is there yet. Nothing was changed. Bring the stack up with pulumi up")
        first, reached = entry(settings.rollout.steps, shares)
        steps = [step for step in settings.rollout.steps if step >= first]
        _announce(rollout, steps, reached=reached)
        confirm(f"Promote {key} over {_percent(steps)}?", yes=yes)
        rollout.way_back = _main_old(rollout, found)
        code: Code | None = None
        try:
            code = _promote(rollout, steps, reached=reached)
        finally:
            _report(rollout, code, as_json=as_json)
    if code:
        raise typer.Exit(code)


def _promote(rollout: _Rollout, steps: Sequence[int], *, reached: bool) -> Code:
    """Take the steps, or roll back; return how that ended."""
    for rollout.step in steps:
        if not _take(rollout, rollout.step, there=reached and rollout.step == steps[0]):
            return _roll_back(rollout)
    return Code.DONE


def _take(rollout: _Rollout, step: int, *, there: bool) -> bool:
    """Shift to a step, and judge it until it passes (True), or has failed too often (False)."""
    rules = rollout.settings.rollout
    while (was := _begin(rollout, step, there=there)) is None:
        _wait(_AGAIN_SECONDS)
    since, failed = _now(), 0
    while failed < rules.metrics.failures:
        _wait(rules.hold)
        verdict, end = _look(rollout, step, since, was)
        if verdict is Verdict.PASSED:
            return True
        failed += verdict is Verdict.FAILED
        since = end
    return False


def _begin(rollout: _Rollout, step: int, *, there: bool) -> _Seen | None:
    """Shift to a step, and return what was before it; None where AWS could not be read, and so nothing has moved."""
    try:
        rollout.renew()
        was = _read(rollout, *minutes.before(_now(), timedelta(seconds=rollout.settings.rollout.hold)))
        if not there:
            carry_out(rollout.here, lambda present: weights_at(present.weights, rollout.key, step), yes=True)
    except LiveError as error:
        say(f"Hold {rollout.key} before weight {step}: AWS could not be read: {error}")
        return None
    if not there:
        for route in rollout.routes:
            say(f"Advance {route} {rollout.key} weight {step}")
    return was


def _look(rollout: _Rollout, step: int, since: datetime, was: _Seen) -> tuple[Verdict, datetime]:
    """Judge what has come ``since``, tell it, and return from when on the next judgement looks.

    Where there was too little it is the same: with what comes in the next minutes it may be enough.
    """
    at = f"{rollout.key} weight {step}"
    try:
        rollout.renew()
        found = rollout.live.find()
        _check_hold(rollout.here, found)
        _check_step(rollout, found, step)
        window = minutes.window(since, _now())
        if window is None:
            return Verdict.INCONCLUSIVE, since
        judged, noise = _judge(rollout, found, window, was)
    except LiveError as error:
        say(f"Hold {at}: AWS could not be read: {error}")
        return Verdict.INCONCLUSIVE, since
    for one in judged:
        rollout.told.append(_Told(step, one))
        say(f"{_WORDS[one.verdict]} {one.route} {at}: {one.said}")
    verdict = overall(judged)
    if verdict is Verdict.INCONCLUSIVE:
        return verdict, since
    if noise:
        say(f"Hold {at}: {noise}")
    return Verdict.INCONCLUSIVE if noise and verdict is Verdict.PASSED else verdict, window[1]


_WORDS = {Verdict.PASSED: "Pass", Verdict.FAILED: "Halt advancement", Verdict.INCONCLUSIVE: "Hold"}


@dataclass(frozen=True)
class _Seen:
    """What CloudWatch told: traffic of the new and of the old clusters by route, and of load balancers by ARN."""

    new: dict[str, Traffic]
    old: dict[str, Traffic]
    balancers: dict[str, Traffic]


def _judge(
    rollout: _Rollout, found: Found, window: tuple[datetime, datetime], was: _Seen
) -> tuple[list[Judgement], str]:
    """Return the judgements of all routes, and why a load balancer says to wait all the same, if it does."""
    seen = _read(rollout, *window, found=found)
    judged: list[Judgement] = []
    for route in rollout.routes:
        if any(weight for cluster, weight in live_weights(found)[route].items() if cluster != rollout.key):
            rollout.old[route] = seen.old[route]
        elif route not in rollout.old:
            now = _now()
            earlier = _read(rollout, *minutes.before(now, _LOOK_BACK), found=found).old[route]
            if earlier.requests:
                rollout.old[route] = earlier
        judged.append(judge(route, seen.new[route], rollout.old.get(route), rollout.settings.rollout.metrics))
    said_of = (disturbed(was.balancers[arn], now) for arn, now in seen.balancers.items() if arn in was.balancers)
    return judged, next((text for text in said_of if text), "")


def _read(rollout: _Rollout, start: datetime, end: datetime, found: Found | None = None) -> _Seen:
    found = found or rollout.live.find()
    places = {
        arn: (group, found.rules[group.route].load_balancer)
        for arn, group in found.groups.items()
        if group.route in rollout.routes and group.route in found.rules
    }
    reading = minutes.read(rollout.account, {arn: balancer for arn, (_, balancer) in places.items()}, start, end)

    def of(route: str, *, new: bool) -> Traffic:
        return together(
            reading.groups[arn]
            for arn, (group, _) in places.items()
            if group.route == route and (group.cluster == rollout.key) == new
        )

    return _Seen(
        {route: of(route, new=True) for route in rollout.routes},
        {route: of(route, new=False) for route in rollout.routes},
        dict(reading.balancers),
    )


def _announce(rollout: _Rollout, steps: Sequence[int], *, reached: bool) -> None:
    rules, settings = rollout.settings.rollout, rollout.settings
    say(
        f"{rollout.key}: {'goes on at' if reached else 'goes to'} {_percent(steps)}, {rules.hold} s at each step, for "
        f"{', '.join(rollout.routes)}."
    )
    if own := [name for name, route in settings.routes.items() if route.live and name not in rollout.routes]:
        say(
            f"{', '.join(own)}: has weights of its own, and stays. To move it: cutover shift {rollout.key}=... "
            f"--route {own[0]} -s {rollout.here.named}"
        )
    if blind := [name for name in rollout.routes if settings.routes[name].protocol_version == "GRPC"]:
        say(f"{', '.join(blind)}: a gRPC failure is HTTP 200 to the load balancer, and cannot be judged here.")


def _check_hold(here: Project, found: Found) -> None:
    if found.hold is not None:
        stop(
            Code.BUSY,
            f"{found.hold} holds the weights. The promotion has ended, and nothing more was changed. Look with cutover "
            f"status -s {here.named}; once the reason is gone: cutover release -s {here.named}",
        )


def _check_step(rollout: _Rollout, found: Found, step: int) -> None:
    live = live_weights(found)
    if moved := [route for route in rollout.routes if share(live.get(route, {}), rollout.key) != Fraction(step)]:
        lines = "\n".join(f"  {route}: {said(live.get(route, {}))}" for route in moved)
        stop(
            Code.BUSY,
            f"somebody else has moved the weights away from {step} %:\n{lines}\nThe promotion has ended, and nothing "
            f"more was changed. Look with cutover status -s {rollout.here.named}; to go on from there: cutover promote "
            f"{rollout.key} -s {rollout.here.named}",
        )


def _main_old(rollout: _Rollout, found: Found) -> str | None:
    """Return the old cluster with most of the traffic, to which a rollback goes; None where none has any."""
    weights = [live for route, live in live_weights(found).items() if route in rollout.routes]
    shares = {
        cluster: sum(share(live, cluster) for live in weights)
        for cluster in rollout.settings.clusters
        if cluster != rollout.key
    }
    main = max(shares, key=lambda cluster: shares[cluster], default=None)
    return main if main and shares[main] else None


def _roll_back(rollout: _Rollout) -> Code:
    worst = [one.judgement for one in rollout.told if one.judgement.verdict is Verdict.FAILED][-1]
    reason = f"promote {rollout.key} at {rollout.step} %: {worst.route} {worst.said}"
    failures = rollout.settings.rollout.metrics.failures
    say(f"Rolling back {rollout.key}: failed judgements at {rollout.step} %: {failures}")
    with results.capture() as words:  # stdout is for the report of the promotion
        try:
            with told():
                go_back(rollout.here, rollout.way_back, routes=rollout.routes, reason=reason, yes=True)
            code = Code.ROLLED_BACK
        except typer.Exit as end:
            code = Code(end.exit_code)
    say(words.get().rstrip())
    return code


def _outcome(code: Code | None) -> str:
    if code is None:
        return "ended"
    known = {Code.DONE: "promoted", Code.ROLLED_BACK: "rolled-back", Code.UNFINISHED: "rolled-back"}
    return known.get(code, "rollback-failed")


def _report(rollout: _Rollout, code: Code | None, *, as_json: bool) -> None:
    """Report what was judged, and how it ended; ``code`` is None where something has ended it before its time."""
    outcome, named = _outcome(code), rollout.here.named
    if as_json:
        show_json(
            "promote",
            {
                "stack": rollout.here.stack,
                "cluster": rollout.key,
                "outcome": outcome,
                "step": rollout.step,
                "judgements": [_document(one) for one in rollout.told],
            },
        )
        return
    table = Table("step", "route", "verdict", "by which numbers", box=SIMPLE)
    for one in rollout.told:
        table.add_row(f"{one.step} %", one.judgement.route, one.judgement.verdict, one.judgement.said)
    results.print(table)
    old = [cluster for cluster in rollout.settings.clusters if cluster != rollout.key]
    to = f" --to {rollout.way_back}" if rollout.way_back else ""
    said, following = {
        "promoted": (
            "completed: it has all traffic.",
            f"Next: cutover {f'retire {old[0]}' if old else 'status'} -s {named}",
        ),
        "rolled-back": (
            f"failed at {rollout.step} %: it was rolled back.",
            f"Next, once the reason is gone: cutover release -s {named}, then the same again",
        ),
        "rollback-failed": (
            f"failed at {rollout.step} %, and so did its rollback: errors go on.",
            f"Run now: cutover rollback -s {named}{to} --yes",
        ),
        "ended": (
            f"ended at {rollout.step} %, before its time.",
            f"Look with cutover status -s {named}; to go on from what is live: cutover promote {rollout.key} -s "
            f"{named}",
        ),
    }[outcome]
    results.print(f"Promotion of {rollout.key} {said}", markup=False)
    say(following)


def _document(one: _Told) -> dict[str, Any]:
    judged = one.judgement

    def numbers(traffic: Traffic) -> dict[str, Any]:
        return {"requests": traffic.requests, "failures": traffic.failures, "p99Seconds": traffic.latency}

    return {
        "step": one.step,
        "route": judged.route,
        "verdict": judged.verdict,
        "said": judged.said,
        **numbers(judged.new),
        "old": judged.old and numbers(judged.old),
    }


def _percent(steps: Sequence[int]) -> str:
    return f"{', '.join(map(str, steps))} %"


def _now() -> datetime:
    return datetime.now(UTC)


def _wait(seconds: float) -> None:
    time.sleep(seconds)
