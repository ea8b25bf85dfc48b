"""`cutover promote`: the steps of a rollout, unattended; each is a shift, a wait, and a judgement by metrics.

Owns the loop, and keeps nothing: what is live in AWS tells the step, so that it can be killed at any moment and run
again. Nobody looks on, so health is read before each step and every few seconds after it, and whatever loses requests
ends in a rollback. Refuses to own the shift (commands/shift.py), the verdicts (promote.py) and the way back
(commands/rollback.py).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.aws import minutes
from cutover.aws.live import Live
from cutover.aws.session import LiveError, session
from cutover.calls import OutsideError, waiting
from cutover.commands import tables
from cutover.commands.confirmed import Confirmed, check_settled
from cutover.commands.rollback import go_back
from cutover.commands.shift import asked_rightly, carry_out, check_forwarding, check_whole
from cutover.commands.terminal import (
    Code,
    FolderOption,
    JsonOption,
    StackOption,
    YesOption,
    confirm,
    documented,
    project,
    results,
    say,
    show_json,
    stop,
    told,
)
from cutover.engine.project import ProjectError
from cutover.rules.promote import (
    Judgement,
    Verdict,
    disturbed,
    entry,
    judge,
    losses,
    overall,
    share,
    weights_at,
    worse_back,
)
from cutover.rules.shift import ShiftError, live_weights, routes_of, said
from cutover.rules.traffic import together
from settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import boto3

    from cutover.engine.project import Project
    from cutover.rules.found import Found
    from cutover.rules.gate import Group
    from cutover.rules.traffic import Traffic
    from settings import Settings

_AGAIN_SECONDS = 30
"""How long a promotion holds where AWS could not be read before a step."""

_WATCH_SECONDS = 10
"""How often health is read while a promotion waits: no health check of ELB tells of a target sooner."""

_BLIND_SECONDS = 900
"""How long health may be unreadable before a promotion ends where it is: somebody has to look, and a red job tells."""

_BACK_TRIES = 3
"""How often a rollback that AWS fails is begun."""

_LOOK_BACK = timedelta(hours=1)
"""How far back the old clusters are looked for, where a promotion goes on at the last step and has not seen them."""


@dataclass(frozen=True)
class _Told:
    """A judgement that was made, and at which step."""

    step: int
    judgement: Judgement


class _FailedError(Exception):
    """Requests are lost, or the step was judged to be bad: traffic goes back. The text says by what."""


@dataclass
class _Rollout:
    """A promotion under way, at ``step`` percent.

    ``old`` is what the old clusters had in the last window in which they served, by route. ``way_back`` is the cluster
    that a rollback goes to, and None where none can be told. ``shares`` and ``most`` are by route what the new cluster
    has live, in percent, and the most healthy targets that it had since the step began, as they were last read, at
    ``read``; ``blind`` is why health cannot be read since, and empty where it can. ``why`` is what it is rolled back
    for.
    """

    here: Project
    settings: Settings
    account: boto3.Session
    key: str
    routes: Sequence[str]
    read: datetime
    step: int = 0
    way_back: str | None = None
    told: list[_Told] = field(default_factory=list[_Told])
    old: dict[str, Traffic] = field(default_factory=dict[str, "Traffic"])
    shares: dict[str, Fraction] = field(default_factory=dict[str, Fraction])
    most: dict[str, int] = field(default_factory=dict[str, int])
    blind: str = ""
    why: str = ""

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

    A step that fails against the old clusters, or loses its targets, is rolled
    back, with exit code 5, or that of a rollback that is unfinished or fails. One
    that cannot be judged waits. Run again, it goes on from what is live.

    Example: cutover promote v1-36 -s prod --yes
    JSON: docs/json.md
    """
    with documented("promote", as_json=as_json), asked_rightly():
        here = project(folder, stack)
        check_settled(here)
        file, settings = here.content(), here.settings()
        if key not in settings.clusters:
            stop(
                Code.USAGE, f"there is no cluster {key}. Nothing was changed. There are {', '.join(settings.clusters)}"
            )
        if len(settings.clusters) == 1:
            stop(
                Code.USAGE,
                f"{key} is the only cluster in {here.file_name}, so there is nothing to take its traffic from. Nothing "
                "was changed. Add the next cluster, bring it up with pulumi up, and promote that",
            )
        rollout = _Rollout(here, settings, session(settings.aws), key, routes_of(settings, None), _now())
        found = rollout.live.find()
        _check_hold(here, found)
        check_forwarding(here, found)
        shares = [share(live, key) for route, live in live_weights(found).items() if route in rollout.routes]
        if not shares:
            stop(Code.USAGE, "no weighted rule is there yet. Nothing was changed. Bring the stack up with pulumi up")
        check_whole(here, settings, found)
        first, reached = entry(settings.rollout.steps, shares)
        steps = [step for step in settings.rollout.steps if step >= first]
        _announce(rollout, steps, reached=reached)
        confirm(f"Promote {key} over {_percent(steps)}?", yes=yes)
        Confirmed(file, found).check(here, rollout.live.find())
        rollout.way_back = _main_old(rollout, found)
        code: int | None = None
        try:
            code = _promote(rollout, steps, reached=reached)
        finally:
            _report(rollout, code, as_json=as_json)
    if code:
        raise typer.Exit(code)


def _promote(rollout: _Rollout, steps: Sequence[int], *, reached: bool) -> int:
    """Take the steps, or roll back; return how that ended."""
    try:
        for rollout.step in steps:
            _take(rollout, rollout.step, there=reached and rollout.step == steps[0])
    except _FailedError as failed:
        return _roll_back(rollout, str(failed))
    except typer.Exit:
        raise
    except Exception as error:  # a fault of this program may not leave traffic on a cluster that nobody judges
        if _known(error) or not any(rollout.shares.values()):
            raise
        return _roll_back(rollout, f"the promotion itself failed: {type(error).__name__}: {error}")
    return Code.DONE


def _known(error: Exception) -> bool:
    """Tell whether an error is one that says what to do, and was raised before anything moved."""
    return isinstance(error, (OutsideError, ProjectError, SettingsError, ShiftError, OSError))


def _take(rollout: _Rollout, step: int, *, there: bool) -> None:
    """Shift to a step, and judge it until it passes.

    :raises _FailedError: it has failed too often, or requests are lost
    """
    rules = rollout.settings.rollout
    was = _begin(rollout, step, there=there)
    since, failed = _now(), 0
    while True:
        _hold(rollout, rules.hold)
        verdict, end = _look(rollout, step, since, was)
        sound = _sound(rollout)
        if verdict is Verdict.PASSED and sound:
            return
        failed += verdict is Verdict.FAILED
        if failed == rules.metrics.failures:
            worst = [one.judgement for one in rollout.told if one.judgement.verdict is Verdict.FAILED][-1]
            say(f"{rollout.key} failed judgements at {step} %: {failed}")
            raise _FailedError(f"{worst.route} {worst.said}")
        since = end


def _begin(rollout: _Rollout, step: int, *, there: bool) -> _Seen:
    """Shift to a step once AWS can be read, and return what was before it.

    :raises _FailedError: requests are lost, before the step or by it
    """
    rollout.most.clear()
    while True:
        if _sound(rollout):
            try:
                rollout.renew()
                was = _read(rollout, *minutes.before(_now(), timedelta(seconds=rollout.settings.rollout.hold)))
                if not there:
                    _shift(rollout, step)
            except LiveError as error:
                say(f"Hold {rollout.key} before weight {step}: AWS could not be read: {error}")
            else:
                break
        _hold(rollout, _AGAIN_SECONDS)
    if not there:
        for route in rollout.routes:
            say(f"Advance {route} {rollout.key} weight {step}")
    return was


def _shift(rollout: _Rollout, step: int) -> None:
    """Shift to a step. What ends a shift that has moved anything, or finds requests lost, fails the step.

    :raises _FailedError: it did
    :raises LiveError: AWS could not be read, and nothing has moved
    """
    before = dict(rollout.shares)
    try:
        carry_out(rollout.here, lambda present: weights_at(present.weights, rollout.key, step), yes=True)
    except LiveError:
        raise
    except Exception as error:
        while not _sound(rollout):
            _wait(_WATCH_SECONDS)
        # Where somebody else is at work, what has moved is his.
        if rollout.shares != before and getattr(error, "exit_code", None) != Code.BUSY:
            told_by = "" if isinstance(error, typer.Exit) else f": {type(error).__name__}: {error}"
            raise _FailedError(f"the shift to {step} % has failed, and weights have moved{told_by}") from error
        raise


def _hold(rollout: _Rollout, seconds: float) -> None:
    """Wait, and look after the health of what serves.

    :raises _FailedError: requests are lost
    """
    with waiting(f"{rollout.key} at {rollout.step} %: {seconds:.0f} s until the next look"):
        while seconds > 0:
            _wait(min(seconds, _WATCH_SECONDS))
            seconds -= _WATCH_SECONDS
            _sound(rollout)


def _sound(rollout: _Rollout) -> bool:
    """Tell whether health could be read, and nothing that serves has lost its targets.

    :raises _FailedError: it has
    :raises typer.Exit: health could not be read for too long
    """
    try:
        if rollout.blind:
            rollout.renew()
        found = rollout.live.traffic()
        health = _health(rollout, found)
    except LiveError as error:
        _check_sight(rollout, str(error))
        return False
    rollout.shares = {route: share(live_weights(found).get(route, {}), rollout.key) for route in rollout.routes}
    if lost := losses(found, health, rollout.routes, rollout.key, rollout.most):
        raise _FailedError("; ".join(lost))
    if unread := [one for one in health.values() if one.unreadable or not one.checked]:
        _check_sight(
            rollout, "; ".join(f"{one.cluster}: {one.unreadable or 'its health checks are off'}" for one in unread)
        )
        return False
    if rollout.blind:
        say(f"The health of {rollout.key} can be read again.")
    rollout.read, rollout.blind = _now(), ""
    return True


def _health(rollout: _Rollout, found: Found) -> dict[str, Group]:
    """Read the health of all groups in the rules that the promotion moves."""
    arns = [arn for route in rollout.routes if route in found.rules for arn in found.rules[route].weights]
    return rollout.live.health([found.groups[arn] for arn in arns if arn in found.groups])


def _check_sight(rollout: _Rollout, why: str) -> None:
    """Say that health cannot be read, once for each cause, and end the promotion where that lasts."""
    if why != rollout.blind:
        say(f"Hold {rollout.key}: the health of what serves could not be read, so nothing moves: {why}")
    rollout.blind = why
    if (_now() - rollout.read).total_seconds() < _BLIND_SECONDS:
        return
    has = max(rollout.shares.values(), default=Fraction(0))
    named = rollout.here.named
    stop(
        Code.FAILED,
        f"the health of {rollout.key} could not be read for {_BLIND_SECONDS // 60} minutes: {why}. The promotion has "
        f"ended: {rollout.key} had {float(has):g} % when it was last seen, and nothing tells whether it is well. Mend "
        f"the access, then go on: cutover promote {rollout.key} -s {named}. To go back at once: cutover rollback -s "
        f"{named} --yes",
    )


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


def _roll_back(rollout: _Rollout, why: str) -> int:
    """Move back every route that is not worse off there, and return how that ended."""
    rollout.why = why
    if not any(rollout.shares.values()):
        stop(
            Code.FAILED,
            f"{why}. {rollout.key} has no share yet, so this is not of its making: nothing was moved, and no hold was "
            f"left. Look with cutover status -s {rollout.here.named}. To send everything to {rollout.key} at once: "
            f"cutover shift {rollout.key}=100 -s {rollout.here.named} --yes",
        )
    say(f"Rolling back {rollout.key} at {rollout.step} %: {why}", "red")
    routes = _to_go_back(rollout)
    if not routes:
        stop(
            Code.FAILED,
            f"{rollout.way_back} has no healthy target, and {rollout.key} has: going back would send everything to "
            f"nothing, so nothing was moved, and no hold was left. Let {rollout.way_back} come back, or move "
            f"everything on: cutover shift {rollout.key}=100 -s {rollout.here.named} --yes",
        )
    code: int = Code.FAILED
    for left in reversed(range(_BACK_TRIES)):
        code = _go_back(rollout, routes, f"promote {rollout.key} at {rollout.step} %: {why}")
        if code != Code.FAILED or not left:
            break
        say(f"The rollback has failed, and is begun again in {_WATCH_SECONDS} s.", "red")
        _wait(_WATCH_SECONDS)
    return code


def _go_back(rollout: _Rollout, routes: Sequence[str], reason: str) -> int:
    with results.capture() as words:  # stdout is for the report of the promotion
        try:
            with told():
                go_back(rollout.here, rollout.way_back, routes=routes, reason=reason, yes=True)
            code: int = Code.ROLLED_BACK
        except typer.Exit as end:
            code = end.exit_code
        except Exception as error:  # as above: it is begun again, and ends by saying what to run
            say(f"{type(error).__name__}: {error}", "red")
            code = Code.FAILED
    say(words.get().rstrip())
    return code


def _to_go_back(rollout: _Rollout) -> Sequence[str]:
    """Return the routes that a rollback helps, all of them where that cannot be read."""
    if rollout.way_back is None:
        return rollout.routes
    try:
        found = rollout.live.traffic()
        worse = worse_back(found, _health(rollout, found), rollout.routes, rollout.key, rollout.way_back)
    except LiveError:
        return rollout.routes
    if worse:
        say(f"{', '.join(worse)}: stays, since {rollout.way_back} has no healthy target there.", "red")
    return [route for route in rollout.routes if route not in worse]


def _outcome(code: int | None) -> str:
    if code is None:
        return "ended"
    known: dict[int, str] = {Code.DONE: "promoted", Code.ROLLED_BACK: "rolled-back", Code.UNFINISHED: "rolled-back"}
    return known.get(code, "rollback-failed")


def _report(rollout: _Rollout, code: int | None, *, as_json: bool) -> None:
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
                "why": rollout.why,
                "judgements": [_document(one) for one in rollout.told],
            },
        )
        return
    rows = [(f"{one.step} %", one.judgement.route, one.judgement.verdict, one.judgement.said) for one in rollout.told]
    if rows:
        tables.show(results, ("step", "route", "verdict", "by which numbers"), rows, spare=("verdict",))
    old = [cluster for cluster in rollout.settings.clusters if cluster != rollout.key]
    to = f" --to {rollout.way_back}" if rollout.way_back else ""
    but = ", but for what is told above" if code == Code.UNFINISHED else ""
    said, following = {
        "promoted": (
            "completed: it has all traffic.",
            f"Next: cutover {f'retire {old[0]}' if old else 'status'} -s {named}",
        ),
        "rolled-back": (
            f"failed at {rollout.step} %: it was rolled back{but}.",
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
    results.print(f"Promotion of {rollout.key} {said}{f' Why: {rollout.why}' if rollout.why else ''}", markup=False)
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
