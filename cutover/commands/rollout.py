"""A promotion under way: what is known of it, how it waits, and what it sees at a step.

Owns the look after what serves, and the judgement of what has come since. Refuses to own the steps and the way back
(promote.py), and by which numbers a step passes (rules/promote.py).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from cutover.aws import minutes
from cutover.aws.session import LiveError
from cutover.calls import waiting
from cutover.commands.terminal import Code, say, stop
from cutover.rules.promote import Judgement, Verdict, disturbed, judge, losses, overall, share
from cutover.rules.shift import live_weights, said
from cutover.rules.traffic import together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cutover.commands.opened import Opened
    from cutover.rules.found import Found
    from cutover.rules.move import Group
    from cutover.rules.traffic import Traffic
    from settings import Settings


WATCH_SECONDS = 10
"""How often health is read while a promotion waits: no health check of ELB tells of a target sooner."""


_BLIND_SECONDS = 900
"""How long health may be unreadable before a promotion ends where it is: somebody has to look, and a red job tells."""


_LOOK_BACK = timedelta(hours=1)
"""How far back the old clusters are looked for, where a promotion goes on at the last step and has not seen them."""


@dataclass(frozen=True)
class Told:
    """A judgement that was made, and at which step."""

    step: int
    judgement: Judgement


class FailedError(Exception):
    """Requests are lost, or the step was judged to be bad: traffic goes back. The text says by what."""


@dataclass
class Rollout:
    """A promotion under way, at ``step`` percent.

    ``old`` is what the old clusters had in the last window in which they served, by route. ``way_back`` is the cluster
    that a rollback goes to, and None where none can be told. ``shares`` and ``most`` are by route what the new cluster
    has live, in percent, and the most healthy targets that it had since the step began, as they were last read, at
    ``read``; ``blind`` is why health cannot be read since, and empty where it can. ``why`` is what it is rolled back
    for.
    """

    here: Opened
    settings: Settings
    key: str
    routes: Sequence[str]
    read: datetime
    step: int = 0
    way_back: str | None = None
    told: list[Told] = field(default_factory=list[Told])
    old: dict[str, Traffic] = field(default_factory=dict[str, "Traffic"])
    shares: dict[str, Fraction] = field(default_factory=dict[str, Fraction])
    most: dict[str, int] = field(default_factory=dict[str, int])
    blind: str = ""
    why: str = ""


def hold(rollout: Rollout, seconds: float) -> None:
    """Wait, and look after the health of what serves.

    :raises FailedError: requests are lost
    """
    with waiting(f"{rollout.key} at {rollout.step} %: {seconds:.0f} s until the next look"):
        while seconds > 0:
            wait(min(seconds, WATCH_SECONDS))
            seconds -= WATCH_SECONDS
            sound(rollout)


def sound(rollout: Rollout) -> bool:
    """Tell whether health could be read, and nothing that serves has lost its targets.

    :raises FailedError: it has
    :raises typer.Exit: health could not be read for too long
    """
    try:
        if rollout.blind:
            rollout.here.renew()
        found = rollout.here.live.traffic()
        health = health_of(rollout, found)
    except LiveError as error:
        _check_sight(rollout, str(error))
        return False
    rollout.shares = {route: share(live_weights(found).get(route, {}), rollout.key) for route in rollout.routes}
    if lost := losses(found, health, rollout.routes, rollout.key, rollout.most):
        raise FailedError("; ".join(lost))
    if unread := [one for one in health.values() if one.unreadable or not one.checked]:
        _check_sight(
            rollout, "; ".join(f"{one.cluster}: {one.unreadable or 'its health checks are off'}" for one in unread)
        )
        return False
    if rollout.blind:
        say(f"The health of {rollout.key} can be read again.")
    rollout.read, rollout.blind = now(), ""
    return True


def health_of(rollout: Rollout, found: Found) -> dict[str, Group]:
    """Read the health of all groups in the rules that the promotion moves."""
    arns = [arn for route in rollout.routes if route in found.rules for arn in found.rules[route].weights]
    return rollout.here.live.health([found.groups[arn] for arn in arns if arn in found.groups])


def _check_sight(rollout: Rollout, why: str) -> None:
    """Say that health cannot be read, once for each cause, and end the promotion where that lasts."""
    if why != rollout.blind:
        say(f"Hold {rollout.key}: the health of what serves could not be read, so nothing moves: {why}")
    rollout.blind = why
    if (now() - rollout.read).total_seconds() < _BLIND_SECONDS:
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


def look(rollout: Rollout, step: int, since: datetime, was: Seen) -> tuple[Verdict, datetime]:
    """Judge what has come ``since``, tell it, and return from when on the next judgement looks.

    Where there was too little it is the same: with what comes in the next minutes it may be enough.
    """
    at = f"{rollout.key} weight {step}"
    try:
        rollout.here.renew()
        found = rollout.here.live.find()
        check_hold(rollout.here, found)
        _check_step(rollout, found, step)
        window = minutes.window(since, now())
        if window is None:
            return Verdict.INCONCLUSIVE, since
        judged, noise = _judge(rollout, found, window, was)
    except LiveError as error:
        say(f"Hold {at}: AWS could not be read: {error}")
        return Verdict.INCONCLUSIVE, since
    for one in judged:
        rollout.told.append(Told(step, one))
        say(f"{_WORDS[one.verdict]} {one.route} {at}: {one.said}")
    verdict = overall(judged)
    if verdict is Verdict.INCONCLUSIVE:
        return verdict, since
    if noise:
        say(f"Hold {at}: {noise}")
    return Verdict.INCONCLUSIVE if noise and verdict is Verdict.PASSED else verdict, window[1]


_WORDS = {Verdict.PASSED: "Pass", Verdict.FAILED: "Halt advancement", Verdict.INCONCLUSIVE: "Hold"}


@dataclass(frozen=True)
class Seen:
    """What CloudWatch told: traffic of the new and of the old clusters by route, and of load balancers by ARN."""

    new: dict[str, Traffic]
    old: dict[str, Traffic]
    balancers: dict[str, Traffic]


def _judge(rollout: Rollout, found: Found, window: tuple[datetime, datetime], was: Seen) -> tuple[list[Judgement], str]:
    """Return the judgements of all routes, and why a load balancer says to wait all the same, if it does."""
    seen = read(rollout, *window, found=found)
    judged: list[Judgement] = []
    for route in rollout.routes:
        if any(weight for cluster, weight in live_weights(found)[route].items() if cluster != rollout.key):
            rollout.old[route] = seen.old[route]
        elif route not in rollout.old:
            present = now()
            earlier = read(rollout, *minutes.before(present, _LOOK_BACK), found=found).old[route]
            if earlier.requests:
                rollout.old[route] = earlier
        judged.append(judge(route, seen.new[route], rollout.old.get(route), rollout.settings.rollout.metrics))
    said_of = (disturbed(was.balancers[arn], now) for arn, now in seen.balancers.items() if arn in was.balancers)
    return judged, next((text for text in said_of if text), "")


def read(rollout: Rollout, start: datetime, end: datetime, found: Found | None = None) -> Seen:
    """Read what the new cluster and the old ones had in a window, by route."""
    found = found or rollout.here.live.find()
    places = {
        arn: (group, found.rules[group.route].load_balancer)
        for arn, group in found.groups.items()
        if group.route in rollout.routes and group.route in found.rules
    }
    reading = minutes.read(rollout.here.account, {arn: balancer for arn, (_, balancer) in places.items()}, start, end)

    def of(route: str, *, new: bool) -> Traffic:
        return together(
            reading.groups[arn]
            for arn, (group, _) in places.items()
            if group.route == route and (group.cluster == rollout.key) == new
        )

    return Seen(
        {route: of(route, new=True) for route in rollout.routes},
        {route: of(route, new=False) for route in rollout.routes},
        dict(reading.balancers),
    )


def check_hold(here: Opened, found: Found) -> None:
    """End a promotion that somebody has rolled back."""
    if found.hold is not None:
        stop(
            Code.BUSY,
            f"{found.hold} holds the weights. The promotion has ended, and nothing more was changed. Look with cutover "
            f"status -s {here.named}; once the reason is gone: cutover release -s {here.named}",
        )


def _check_step(rollout: Rollout, found: Found, step: int) -> None:
    live = live_weights(found)
    if moved := [route for route in rollout.routes if share(live.get(route, {}), rollout.key) != Fraction(step)]:
        lines = "\n".join(f"  {route}: {said(live.get(route, {}))}" for route in moved)
        stop(
            Code.BUSY,
            f"somebody else has moved the weights away from {step} %:\n{lines}\nThe promotion has ended, and nothing "
            f"more was changed. Look with cutover status -s {rollout.here.named}; to go on from there: cutover promote "
            f"{rollout.key} -s {rollout.here.named}",
        )


def now() -> datetime:
    """Return what time it is."""
    return datetime.now(UTC)


def wait(seconds: float) -> None:
    """Wait some seconds."""
    time.sleep(seconds)
