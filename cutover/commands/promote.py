"""`cutover promote`: the steps of a rollout, unattended; each is a shift, a wait, and a judgement by metrics.

Owns the loop, and keeps nothing: what is live in AWS tells the step, so that it can be killed at any moment and run
again. Nobody looks on, so health is read before each step and every few seconds after it, and whatever loses requests
ends in a rollback. Refuses to own the shift (commands/shift.py), the verdicts (promote.py) and the way back
(commands/rollback.py).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.aws import minutes
from cutover.aws.session import LiveError
from cutover.calls import OutsideError
from cutover.commands import rollout as under_way
from cutover.commands import tables
from cutover.commands.confirmed import Confirmed
from cutover.commands.moving import carry_out
from cutover.commands.opened import opened
from cutover.commands.rollback import go_back
from cutover.commands.rollout import FailedError, Rollout, Seen, Told, check_hold, health_of, hold, look, read, sound
from cutover.commands.terminal import (
    Code,
    FolderOption,
    JsonOption,
    StackOption,
    YesOption,
    confirm,
    results,
    say,
    stop,
    told,
)
from cutover.engine.stack_file import ProjectError
from cutover.rules.promote import Verdict, entry, share, weights_at, worse_back
from cutover.rules.shift import ShiftError, live_weights, routes_of
from settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cutover.rules.found import Found
    from cutover.rules.traffic import Traffic

_AGAIN_SECONDS = 30
"""How long a promotion holds where AWS could not be read before a step."""


_BACK_TRIES = 3
"""How often a rollback that AWS fails is begun."""


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
    with opened("promote", folder, stack, as_json=as_json) as here:
        here.check_settled()
        file, settings = here.project.content(), here.settings
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
        rollout = Rollout(here, settings, key, routes_of(settings, None), under_way.now())
        found = here.live.find()
        check_hold(here, found)
        here.check_forwarding(found)
        shares = [share(live, key) for route, live in live_weights(found).items() if route in rollout.routes]
        if not shares:
            stop(Code.USAGE, "no weighted rule is there yet. Nothing was changed. Bring the stack up with pulumi up")
        here.check_whole(found)
        first, reached = entry(settings.rollout.steps, shares)
        steps = [step for step in settings.rollout.steps if step >= first]
        _announce(rollout, steps, reached=reached)
        confirm(f"Promote {key} over {_percent(steps)}?", yes=yes)
        Confirmed(file, found).check(here.project, here.live.find())
        rollout.way_back = _main_old(rollout, found)
        code: int | None = None
        try:
            code = _promote(rollout, steps, reached=reached)
        finally:
            _report(rollout, code, as_json=as_json)
    if code:
        raise typer.Exit(code)


def _promote(rollout: Rollout, steps: Sequence[int], *, reached: bool) -> int:
    """Take the steps, or roll back; return how that ended."""
    try:
        for rollout.step in steps:
            _take(rollout, rollout.step, there=reached and rollout.step == steps[0])
    except FailedError as failed:
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


def _take(rollout: Rollout, step: int, *, there: bool) -> None:
    """Shift to a step, and judge it until it passes.

    :raises FailedError: it has failed too often, or requests are lost
    """
    rules = rollout.settings.rollout
    was = _begin(rollout, step, there=there)
    since, failed = under_way.now(), 0
    while True:
        hold(rollout, rules.hold)
        verdict, end = look(rollout, step, since, was)
        safe = sound(rollout)
        if verdict is Verdict.PASSED and safe:
            return
        failed += verdict is Verdict.FAILED
        if failed == rules.metrics.failures:
            worst = [one.judgement for one in rollout.told if one.judgement.verdict is Verdict.FAILED][-1]
            say(f"{rollout.key} failed judgements at {step} %: {failed}")
            raise FailedError(f"{worst.route} {worst.said}")
        since = end


def _begin(rollout: Rollout, step: int, *, there: bool) -> Seen:
    """Shift to a step once AWS can be read, and return what was before it.

    :raises FailedError: requests are lost, before the step or by it
    """
    rollout.most.clear()
    while True:
        if sound(rollout):
            try:
                rollout.here.renew()
                was = read(rollout, *minutes.before(under_way.now(), timedelta(seconds=rollout.settings.rollout.hold)))
                if not there:
                    _shift(rollout, step)
            except LiveError as error:
                say(f"Hold {rollout.key} before weight {step}: AWS could not be read: {error}")
            else:
                break
        hold(rollout, _AGAIN_SECONDS)
    if not there:
        for route in rollout.routes:
            say(f"Advance {route} {rollout.key} weight {step}")
    return was


def _shift(rollout: Rollout, step: int) -> None:
    """Shift to a step. What ends a shift that has moved anything, or finds requests lost, fails the step.

    :raises FailedError: it did
    :raises LiveError: AWS could not be read, and nothing has moved
    """
    before = dict(rollout.shares)
    try:
        carry_out(
            rollout.here, lambda present: weights_at(present.weights, rollout.key, step), yes=True, probed=rollout.key
        )
    except LiveError:
        raise
    except Exception as error:
        while not sound(rollout):
            under_way.wait(under_way.WATCH_SECONDS)
        # Where somebody else is at work, what has moved is his.
        if rollout.shares != before and getattr(error, "exit_code", None) != Code.BUSY:
            told_by = "" if isinstance(error, typer.Exit) else f": {type(error).__name__}: {error}"
            raise FailedError(f"the shift to {step} % has failed, and weights have moved{told_by}") from error
        raise


def _announce(rollout: Rollout, steps: Sequence[int], *, reached: bool) -> None:
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


def _main_old(rollout: Rollout, found: Found) -> str | None:
    """Return the old cluster with most of the traffic, to which a rollback goes; None where none has any."""
    weights = [live for route, live in live_weights(found).items() if route in rollout.routes]
    shares = {
        cluster: sum(share(live, cluster) for live in weights)
        for cluster in rollout.settings.clusters
        if cluster != rollout.key
    }
    main = max(shares, key=lambda cluster: shares[cluster], default=None)
    return main if main and shares[main] else None


def _roll_back(rollout: Rollout, why: str) -> int:
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
        say(f"The rollback has failed, and is begun again in {under_way.WATCH_SECONDS} s.", "red")
        under_way.wait(under_way.WATCH_SECONDS)
    return code


def _go_back(rollout: Rollout, routes: Sequence[str], reason: str) -> int:
    with results.capture() as words:  # stdout is for the report of the promotion
        try:
            with told():
                go_back(rollout.here.project, rollout.way_back, routes=routes, reason=reason, yes=True)
            code: int = Code.ROLLED_BACK
        except typer.Exit as end:
            code = end.exit_code
        except Exception as error:  # as above: it is begun again, and ends by saying what to run
            say(f"{type(error).__name__}: {error}", "red")
            code = Code.FAILED
    say(words.get().rstrip())
    return code


def _to_go_back(rollout: Rollout) -> Sequence[str]:
    """Return the routes that a rollback helps, all of them where that cannot be read."""
    if rollout.way_back is None:
        return rollout.routes
    try:
        found = rollout.here.live.traffic()
        worse = worse_back(found, health_of(rollout, found), rollout.routes, rollout.key, rollout.way_back)
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


def _report(rollout: Rollout, code: int | None, *, as_json: bool) -> None:
    """Report what was judged, and how it ended; ``code`` is None where something has ended it before its time."""
    outcome, named = _outcome(code), rollout.here.named
    if as_json:
        rollout.here.show(
            {
                "stack": rollout.here.project.stack,
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


def _document(one: Told) -> dict[str, Any]:
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
