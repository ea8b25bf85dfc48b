"""What a rollback is about to do: where each route lands, on what, and what somebody confirms. Asked in little time.

Refuses to own where routes land (rules/rollback.py) and the doing (rollback.py).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from cutover import calls
from cutover.aws.account import prove
from cutover.aws.live import Live
from cutover.aws.session import account_of, check_account, in_role, own_session
from cutover.aws.writes import Writes
from cutover.calls import OutsideError
from cutover.commands import tables
from cutover.commands.confirmed import changes
from cutover.commands.somebody import somebody
from cutover.commands.terminal import Code, say, stop
from cutover.engine.stack_file import ProjectError
from cutover.rules.missing import TARGETS, all_of_it, missing
from cutover.rules.move import Policy
from cutover.rules.rollback import RollbackError, Seen, absent, all_on, as_far_as_covered, goal, held, landings
from cutover.rules.shift import said
from settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import boto3
    from rich.console import Console

    from cutover.engine.project import Project
    from cutover.rules.found import Found
    from cutover.rules.move import Hold
    from cutover.rules.rollback import Landing
    from settings import Settings
    from settings.aws import Aws


_T = TypeVar("_T")
LOOK_SECONDS = 0.7  # for each thing that is good to have, and that no rollback may wait for
_LAND_SECONDS = 10.0  # and once all has moved, when nobody waits for it any more
_ROLE_SECONDS = 10.0  # for STS to lend a role, which answers within one: after that the credentials as they are try it
_GROUPS_LOOKED_AT = 25  # of the 40 reads that ELB takes at once: the rules must be read, too
_LONGEST_REASON = 1000  # letters: SSM takes 8 KB, and the weights of fifty routes are half of that


@dataclass(frozen=True)
class Act:
    """What is about to be done. ``landed`` has the routes with most requests first, ``absent`` those without a rule."""

    project: Project
    writes: Writes
    key: str
    landed: Sequence[Landing]
    absent: Sequence[Landing]
    hold: Hold
    found: Found
    again: str
    live: Live
    settings: Settings | None

    @property
    def wanted(self) -> dict[str, Mapping[str, int]]:
        """The weights by rule."""
        return {landing.rule: landing.wanted for landing in self.landed}

    @property
    def lands(self) -> tuple[Mapping[str, Mapping[str, int]], Hold | None]:
        """What somebody confirms: where each route lands, and that it takes the place of no other hold."""
        return {landing.route: landing.after for landing in self.landed}, self.found.hold


class Asked(Generic[_T]):
    """A question that is asked on a thread of its own, whose answer nobody has to wait for."""

    def __init__(self, ask: Callable[[], _T]) -> None:
        self._answers: list[_T] = []
        self.error = "no answer came in time"
        self._thread = threading.Thread(target=self._run, args=(ask,), daemon=True)
        self._thread.start()

    def by(self, end: float, otherwise: _T) -> _T:
        """Return the answer if it is there by ``end`` (of the monotonic clock)."""
        self._thread.join(max(0.0, end - time.monotonic()))
        return self._answers[0] if self._answers else otherwise

    @property
    def answered(self) -> bool:
        """Whether the answer is there."""
        return bool(self._answers)

    def _run(self, ask: Callable[[], _T]) -> None:
        try:
            with calls.aside():
                self._answers.append(ask())
        except OutsideError as error:
            self.error = str(error)


def plan(known: Project, to: str | None, routes: Collection[str] | None, *, partial: bool, reason: str) -> Act:
    """Find out where each route would land, and on what.

    :raises LiveError: AWS could not be read
    """
    settings = _as_written(known)
    aws = known.aws(lambda text: say(text, "yellow"))
    account, without = _account(aws)
    live, writes = (
        Live(account, known.owner),
        Writes(account, known.owner, aws.tags(known.owner.project, known.owner.stack)),
    )
    asked = Asked(live.hold)
    found = live.traffic()
    check_account(aws, {account_of(arn) for arn in (*found.groups, *(rule.arn for rule in found.rules.values()))})
    if not found.rules and without:
        stop(
            Code.FAILED,
            f"{account.region_name} has no weighted rule of the stack {known.stack} in the account of the credentials "
            f"as they are, so nothing was moved. Use credentials of {without}, or run the same again: STS may answer",
        )
    if not found.rules:
        stop(
            Code.USAGE,
            f"{account.region_name} has no weighted rule of the stack {known.stack}, so there is nothing to move. Look "
            f"whether stack, region and account are the right ones{_without_role(known, settings, aws)}. Where they "
            f"are and it was up, {all_of_it(known.named)} makes its rules again"
            + "".join(f". {doubt}" for doubt in found.doubts),
        )
    for doubt in found.doubts:
        say(doubt, "yellow")
    found = replace(found, hold=asked.by(time.monotonic() + LOOK_SECONDS, None))
    try:
        key = to or goal(found, unsure=not asked.answered)
        wanted = {name: one for name, one in all_on(found, key).items() if routes is None or name in routes}
    except RollbackError as error:
        stop(Code.USAGE, str(error))
    seen, requests = look(live, found, wanted, settings, LOOK_SECONDS)
    if partial:
        wanted = as_far_as_covered(found, wanted, seen)
    landed = landings(found, wanted, seen, f"stays: no target group of {key}" if routes is None else "stays")
    landed.sort(key=lambda landing: -requests.get(landing.route, 0))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
    lacking = absent(settings, found, key, routes) if settings else []
    hold = held([*landed, *lacking], somebody(), reason[:_LONGEST_REASON] or "no reason given", now)
    if found.hold and found.hold.weights == hold.weights and not reason:
        hold = found.hold
    again = f"cutover rollback -s {known.named} --to {key}{' --partial' if partial else ''}"
    if wanted.keys() < found.rules.keys() and routes is not None:
        again += " (which moves every route)"
    return Act(known, writes, key, landed, lacking, hold, found, again, live, settings)


def _account(aws: Aws) -> tuple[boto3.Session, str]:
    """Return a session that reaches the stack's account, and the role that it is without, if STS lends none in time.

    The credentials may be the role's already, which STS then denies. What they may do ELB says, and in which account
    they are stands in the ARNs of what is found there: so nobody has to ask STS.
    """
    own = own_session(aws)
    if not aws.assume_roles:
        return own, ""
    asked = Asked(lambda: in_role(own, aws.assume_roles))
    with calls.waiting(f"sts AssumeRole in {aws.region}"):
        account = asked.by(time.monotonic() + _ROLE_SECONDS, own)
    if account is not own:
        return account, ""
    role = aws.assume_roles[-1].role_arn
    say(f"{role} could not be assumed: {asked.error}. The rollback goes on with the credentials as they are.", "yellow")
    return own, role


def changed(act: Act) -> bool:
    """Tell what has changed in AWS while somebody thought about the answer; where that cannot be read, nothing has.

    A change of the file is none: a rollback does not need it.
    """
    asked = Asked(act.live.hold)
    try:
        found = act.live.traffic()
    except OutsideError:
        return False
    found = replace(found, hold=asked.by(time.monotonic() + LOOK_SECONDS, act.found.hold))
    changed = changes(act.found, found)
    for one in changed:
        say(one, "yellow")
    return bool(changed)


def lacking_in(act: Act) -> list[str]:
    """Say of every route without a rule what makes it, now that the hold stands and the file is written."""
    routes = {one.route for one in act.absent}
    settings = _as_written(act.project) if routes else None
    lacking = missing(settings, replace(act.found, hold=act.hold), act.project.named) if settings else []
    return [str(one) for one in lacking if one.route in routes]


def _as_written(known: Project) -> Settings | None:
    try:
        return known.as_written()
    except SettingsError as error:
        why = error.found
    except ProjectError as error:
        why = str(error)
    except Exception as error:  # whatever stands in the file, it may not stop a rollback
        why = f"{known.file_name} cannot be read: {error}"
    say(f"{why}\nThe rollback goes on without the stack file.", "yellow")
    return None


def _without_role(known: Project, settings: Settings | None, aws: Aws) -> str:
    """Say of a file that cannot be read what that means for the account that is looked at."""
    if settings or aws.assume_roles:
        return ""
    return (
        f". {known.file_name} cannot be read, so nothing tells which role it wants assumed: set AWS_PROFILE to one "
        "that reaches the stack's account, and run the same again"
    )


def look(
    live: Live,
    found: Found,
    wanted: Mapping[str, Mapping[str, int]],
    settings: Settings | None,
    seconds: float,
) -> tuple[Seen, Mapping[str, float]]:
    """Ask at once for all that is good to know, and return what has come in time."""
    end = time.monotonic() + seconds
    landing = [arn for weights in wanted.values() for arn, weight in weights.items() if weight]
    serving = [arn for rule in found.rules.values() for arn, weight in rule.weights.items() if weight]
    looked_at = list(dict.fromkeys(arn for arn in [*landing, *serving] if arn in found.groups))[:_GROUPS_LOOKED_AT]
    health = Asked(lambda: live.health([found.groups[arn] for arn in looked_at]))
    requests = Asked(lambda: live.requests(found.rules))
    routes = settings.routes if settings else {}
    capacities = {route: one.capacity for route, one in routes.items()}
    measured = [route for route in found.rules if capacities.get(route) is None]
    proven = Asked(lambda: prove(live, {route: found.behind(route) for route in measured}))
    seen = Seen(
        health.by(end, {}),
        proven.by(end, {}),
        capacities,
        {route: one.stickiness.duration for route, one in routes.items() if one.stickiness},
        Policy(settings.gate.min_healthy, settings.gate.headroom) if settings else Policy(),
    )
    return seen, requests.by(end, {})


def show(act: Act, console: Console) -> None:
    """Show where each route lands, and what is not known of it."""
    if act.found.hold:
        hold = act.found.hold
        say(f"{hold} holds the weights already.")
    rows = [
        (
            landing.route,
            *(said(weights).replace(", ", "\n") for weights in (landing.before, landing.after)),
            *("?" if number is None else str(number) for number in (landing.units, landing.needed)),
            "?" if landing.covered is None else f"{float(landing.covered):.0%}",
        )
        for landing in act.landed
    ]
    rows += [(one.route, "no rule", said(one.after).replace(", ", "\n"), "?", "?", "?") for one in act.absent]
    spare = ("needed", "healthy", "covers")
    tables.show(console, ("route", "now", "then", "healthy", "needed", "covers"), rows, spare=spare)
    every = [*act.landed, *act.absent]
    for note in dict.fromkeys(landing.note for landing in every if landing.note):
        console.print(f"{', '.join(one.route for one in every if one.note == note)}: {note}", markup=False)
    if empty := [landing.route for landing in act.landed if landing.units == 0]:
        say(
            f"{act.key} has no healthy target in {', '.join(empty)}: requests will fail there. Where a retirement was "
            f"killed while it drained, its targets come back with: {TARGETS}",
            "red",
        )
    if short := [landing.route for landing in act.landed if landing.covered is not None and landing.covered < 1]:
        say(
            f"{act.key} covers less than it gets in {', '.join(short)}. That stops nothing; --partial moves only "
            "what is covered.",
            "yellow",
        )


def landed_now(act: Act) -> Act:
    """Read again, now that all has moved, what each route has landed on."""
    wanted = {landing.route: landing.wanted for landing in act.landed}
    seen, _ = look(act.live, act.found, wanted, act.settings, _LAND_SECONDS)
    now = {landing.route: landing for landing in landings(act.found, wanted, seen, "")}
    return replace(
        act,
        landed=[
            replace(
                landing,
                units=now[landing.route].units,
                needed=now[landing.route].needed,
                covered=now[landing.route].covered,
                unproven=now[landing.route].unproven,
            )
            for landing in act.landed
        ],
    )
