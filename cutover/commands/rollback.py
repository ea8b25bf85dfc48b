"""`cutover rollback`: all traffic back to the older cluster, at once, and kept there.

Owns the order of acts: what makes clients safe comes first (hold, rules), what only keeps records comes last (stack
file, state), and a failure of the one never stops the other. Refuses to own where it lands (rollback.py).
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import typer

from cutover import calls
from cutover.aws.account import prove
from cutover.aws.live import Live
from cutover.aws.session import account_of, check_account, in_role, own_session
from cutover.aws.writes import Writes
from cutover.calls import OutsideError
from cutover.commands import tables, terminal
from cutover.commands.confirmed import changes
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
from cutover.ending import heed, undisturbed
from cutover.engine.project import ProjectError, rules
from cutover.rules.gate import Policy
from cutover.rules.judgement import touched, weights_alone
from cutover.rules.missing import TARGETS, all_of_it, missing
from cutover.rules.rollback import (
    RollbackError,
    Seen,
    absent,
    all_on,
    as_far_as_covered,
    elsewhere,
    enough,
    goal,
    held,
    landings,
    reached,
    to_write,
)
from cutover.rules.shift import said
from settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import boto3
    from rich.console import Console

    from cutover.aws.writes import Outcome
    from cutover.engine.lock import Lock
    from cutover.engine.project import Project
    from cutover.rules.found import Found
    from cutover.rules.gate import Hold
    from cutover.rules.rollback import Landing
    from cutover.rules.run import Run
    from settings import Settings
    from settings.aws import Aws

T = TypeVar("T")

_LOOK_SECONDS = 0.7  # for each thing that is good to have, and that no rollback may wait for
_ROLE_SECONDS = 10.0  # for STS to lend a role, which answers within one: after that the credentials as they are try it
_LAND_SECONDS = 10.0  # and once all has moved, when nobody waits for it any more
_HOLD_SECONDS = 20.0
_GROUPS_LOOKED_AT = 25  # of the 40 reads that ELB takes at once: the rules must be read, too
_EVERY_SECONDS = 1.0
_ATTEMPTS = 4
_PAUSE_SECONDS = 1.0  # before what AWS has refused is tried again
_LONGEST_REASON = 1000  # letters: SSM takes 8 KB, and the weights of fifty routes are half of that
_FILE_SECONDS = 15.0  # for another command to leave the stack file alone: a shift verifies what it has done


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
    with documented("rollback", as_json=as_json):
        go_back(project(cwd, stack), to, partial=partial, reason=reason, as_json=as_json, yes=yes)


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
    act = _plan(known, to, routes, partial=partial, reason=reason)
    _show(act, messages if as_json else results)
    confirm(f"Move {known.stack} to {act.key} as shown?", yes=yes)
    while not yes and _changed(act):
        shown, act = act, _plan(known, act.key, routes, partial=partial, reason=reason)
        if act.lands == shown.lands:
            break
        _show(act, messages if as_json else results)
        confirm(f"Move {known.stack} to {act.key} as shown now?", yes=yes)
    with undisturbed():  # a rollback that is half done helps nobody
        done = _move(act)
    kept = elsewhere((one for one in act.landed if routes is None or one.route in routes), act.key, known.named)
    left, interrupted = [*done.left, *kept], False
    try:
        heed()
        left += _keep_records(act)
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
    act = _landed(act)
    kept += (lacking := _lacking(act))
    left += lacking
    _tell(act, left, failed, safe=not (failed or kept or interrupted))
    if as_json:
        show_json("rollback", _document(act, done, left))
    if failed:
        raise typer.Exit(Code.FAILED)
    if left:
        raise typer.Exit(terminal.interrupted() if interrupted else Code.UNFINISHED)


@dataclass(frozen=True)
class _Act:
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


@dataclass(frozen=True)
class _Done:
    moved: int
    seconds: float
    left: Sequence[str]


class _Asked(Generic[T]):
    """A question that is asked on a thread of its own, whose answer nobody has to wait for."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._answers: list[T] = []
        self.error = "no answer came in time"
        self._thread = threading.Thread(target=self._run, args=(ask,), daemon=True)
        self._thread.start()

    def by(self, end: float, otherwise: T) -> T:
        """Return the answer if it is there by ``end`` (of the monotonic clock)."""
        self._thread.join(max(0.0, end - time.monotonic()))
        return self._answers[0] if self._answers else otherwise

    @property
    def answered(self) -> bool:
        """Whether the answer is there."""
        return bool(self._answers)

    def _run(self, ask: Callable[[], T]) -> None:
        try:
            with calls.aside():
                self._answers.append(ask())
        except OutsideError as error:
            self.error = str(error)


def _plan(known: Project, to: str | None, routes: Collection[str] | None, *, partial: bool, reason: str) -> _Act:
    settings = _as_written(known)
    aws = known.aws(lambda text: say(text, "yellow"))
    account, without = _account(aws)
    live, writes = Live(account, known.owner), Writes(account, known.owner)
    asked = _Asked(live.hold)
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
    found = replace(found, hold=asked.by(time.monotonic() + _LOOK_SECONDS, None))
    try:
        key = to or goal(found, unsure=not asked.answered)
        wanted = {name: one for name, one in all_on(found, key).items() if routes is None or name in routes}
    except RollbackError as error:
        stop(Code.USAGE, str(error))
    seen, requests = _look(live, found, wanted, settings, _LOOK_SECONDS)
    if partial:
        wanted = as_far_as_covered(found, wanted, seen)
    landed = landings(found, wanted, seen, f"stays: no target group of {key}" if routes is None else "stays")
    landed.sort(key=lambda landing: -requests.get(landing.route, 0))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
    lacking = absent(settings, found, key, routes) if settings else []
    hold = held(
        [*landed, *lacking], f"{_user()}@{socket.gethostname()}", reason[:_LONGEST_REASON] or "no reason given", now
    )
    if found.hold and found.hold.weights == hold.weights and not reason:
        hold = found.hold
    again = f"cutover rollback -s {known.named} --to {key}{' --partial' if partial else ''}"
    if wanted.keys() < found.rules.keys() and routes is not None:
        again += " (which moves every route)"
    return _Act(known, writes, key, landed, lacking, hold, found, again, live, settings)


def _account(aws: Aws) -> tuple[boto3.Session, str]:
    """Return a session that reaches the stack's account, and the role that it is without, if STS lends none in time.

    The credentials may be the role's already, which STS then denies. What they may do ELB says, and in which account
    they are stands in the ARNs of what is found there: so nobody has to ask STS.
    """
    own = own_session(aws)
    if not aws.assume_roles:
        return own, ""
    asked = _Asked(lambda: in_role(own, aws))
    with calls.waiting(f"sts AssumeRole in {aws.region}"):
        account = asked.by(time.monotonic() + _ROLE_SECONDS, own)
    if account is not own:
        return account, ""
    role = aws.assume_roles[-1].role_arn
    say(f"{role} could not be assumed: {asked.error}. The rollback goes on with the credentials as they are.", "yellow")
    return own, role


def _changed(act: _Act) -> bool:
    """Tell what has changed in AWS while somebody thought about the answer; where that cannot be read, nothing has.

    A change of the file is none: a rollback does not need it.
    """
    asked = _Asked(act.live.hold)
    try:
        found = act.live.traffic()
    except OutsideError:
        return False
    found = replace(found, hold=asked.by(time.monotonic() + _LOOK_SECONDS, act.found.hold))
    changed = changes(act.found, found)
    for one in changed:
        say(one, "yellow")
    return bool(changed)


def _lacking(act: _Act) -> list[str]:
    """Say of every route without a rule what makes it, now that the hold stands and the file is written."""
    routes = {one.route for one in act.absent}
    settings = _as_written(act.project) if routes else None
    lacking = missing(settings, replace(act.found, hold=act.hold), act.project.named) if settings else []
    return [str(one) for one in lacking if one.route in routes]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as somebody who has no name
        return f"uid {os.getuid()}"


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


def _look(
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
    health = _Asked(lambda: live.health([found.groups[arn] for arn in looked_at]))
    requests = _Asked(lambda: live.requests(found.rules))
    routes = settings.routes if settings else {}
    capacities = {route: one.capacity for route, one in routes.items()}
    measured = [route for route in found.rules if capacities.get(route) is None]
    proven = _Asked(lambda: prove(live, found, measured))
    seen = Seen(
        health.by(end, {}),
        proven.by(end, {}),
        capacities,
        {route: one.stickiness.duration for route, one in routes.items() if one.stickiness},
        Policy(settings.gate.min_healthy, settings.gate.headroom) if settings else Policy(),
    )
    return seen, requests.by(end, {})


def _show(act: _Act, console: Console) -> None:
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


def _move(act: _Act) -> _Done:
    """Leave the hold, then move all rules, and see in AWS that they have moved."""
    begin = time.monotonic()
    left: list[str] = []
    hold = _Asked(lambda: act.writes.hold(act.hold))
    hold.by(begin + _LOOK_SECONDS, None)
    outcome = act.writes.set_weights(act.wanted)
    moved, seconds = len(outcome.moved), time.monotonic() - begin
    say(f"{_rules(moved)} moved in {seconds:.2f} s.")
    for _ in range(_ATTEMPTS):
        _tell_failed(act, outcome.failed)
        if outcome.failed:
            time.sleep(_PAUSE_SECONDS)
        refused, outcome = outcome.failed, _again(act, outcome.failed)
        moved += sum(rule in refused for rule in outcome.moved)
        if not outcome.moved and not outcome.failed:
            break
    with calls.waiting("ssm PutParameter, which leaves the hold"):
        hold.by(begin + _HOLD_SECONDS, None)
    if not hold.answered:
        left.append(f"No hold could be left, so any `pulumi up` may move traffic again: {hold.error}")
    return _Done(moved, seconds, left)


def _again(act: _Act, refused: Collection[str] = ()) -> Outcome:
    """Put back what somebody has moved meanwhile, and try again the rules that AWS has ``refused``."""
    outcome = act.writes.set_weights(act.wanted)
    for landing in (landing for landing in act.landed if landing.rule in outcome.moved):
        if landing.rule in refused:
            say(f"{landing.route} has moved now.")
        else:
            say(f"{landing.route} was moved by somebody else, and is put back.", "yellow")
    return outcome


def _landed(act: _Act) -> _Act:
    """Read again, now that all has moved, what each route has landed on."""
    wanted = {landing.route: landing.wanted for landing in act.landed}
    seen, _ = _look(act.live, act.found, wanted, act.settings, _LAND_SECONDS)
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


def _tell_failed(act: _Act, failed: Mapping[str, str]) -> None:
    for landing in (landing for landing in act.landed if landing.rule in failed):
        say(f"{landing.route} could not be moved: {failed[landing.rule]}", "red")


def _watch(act: _Act) -> Lock | None:
    """Hold the rules while an update that began before the hold may still move them; return the lock that stays."""
    lock = act.project.locked()
    if lock is None or lock.dead:
        return lock
    say(
        f"An update of {lock} is under way and may move traffic again. {lock.cure(act.project.named)}: until then this "
        "watches, and puts back what moves. Ctrl-C ends it."
    )
    with calls.waiting("that update to end"):
        while lock and not lock.dead:
            time.sleep(_EVERY_SECONDS)
            lock = act.project.locked()
            _again(act)
    return lock


def _keep_records(act: _Act) -> list[str]:
    """Bring stack file and state to say what AWS does, and return what could not be done."""
    left: list[str] = []
    known = act.project
    lock = settings = None
    try:
        lock = _watch(act)
    except ProjectError as error:
        say(f"Nothing tells whether an update is under way ({error}). One that is may move traffic again.", "yellow")
    try:
        with known.alone(_FILE_SECONDS):
            unconfirmed = known.unconfirmed()
            left += [str(unconfirmed)] if unconfirmed and not unconfirmed.weights_alone else []
            settings = known.settings()
            _write(act, settings)
            if unconfirmed and unconfirmed.weights_alone:  # in whose place stand now those that AWS has
                known.settle()
                say(f"{known.file_name} had weights of a command that was killed ({unconfirmed.since}).")
    except (ProjectError, SettingsError) as error:
        why = error.found if isinstance(error, SettingsError) else error
        left.append(f"{known.file_name} and the state do not say it yet: {why}")
    if lock:
        left.append(f"The state is locked by {lock}. {lock.cure(known.named)}")
    if left or settings is None:
        return left
    return _take_in(
        known, [one.route for one in act.landed if one.route in settings.routes and settings.routes[one.route].live]
    )


def _take_in(known: Project, live: Sequence[str]) -> list[str]:
    """Bring the state to say what AWS does, and protect what now serves; return what could not be done."""
    if failure := known.refresh(rules(live)).failure:
        return [_not_in_state(failure)]
    plan = known.preview_outside()
    if plan.failure:
        return [_not_in_state(plan.failure)]
    if more := _more_than_weights(plan, live):
        return [
            _not_in_state(
                f"beside weights this checkout would change {'; '.join(more)}. Nothing of that was applied. Check out "
                f"what was applied last and keep {known.file_name}, or apply it with pulumi up -s {known.named}"
            )
        ]
    # What no longer serves is left protected: that takes nobody anything, and the next `pulumi up` lifts it.
    kept = [step for step in plan.kept if not step.lifted]
    run = known.up([*rules(live), *(step.urn for step in kept)])
    failure = run.failure or known.follow(kept)
    return [_not_in_state(failure)] if failure else []


def _more_than_weights(plan: Run, live: Sequence[str]) -> list[str]:
    """Return what a plan would do to weighted rules that are live, beside giving them weights."""
    names = {f"{route}-weighted" for route in live}
    steps = [step for step in touched(plan) if step.name in names and not weights_alone(step)]
    return [f"{step.op} {step.name} ({', '.join(step.paths) or 'it is not said what'})" for step in steps]


def _not_in_state(why: str) -> str:
    return f"The state does not say it yet: {why.strip()}"


def _write(act: _Act, settings: Settings) -> None:
    for route, weights in to_write(settings, [*act.landed, *act.absent]).items():
        act.project.write_weights(weights, route)
        of = f"the weights of {route}" if route else "the weights"
        say(f"{act.project.file_name}: {of} are {said(weights)} now.")


def _tell(act: _Act, left: Sequence[str], failed: Mapping[str, str], *, safe: bool) -> None:
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


def _document(act: _Act, done: _Done, left: Sequence[str]) -> dict[str, Any]:
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
        "hold": {"who": act.hold.who, "why": act.hold.why, "when": act.hold.when},
        "left": list(left),
    }


def _rules(count: int) -> str:
    return f"{count or 'No'} {'rule' if count == 1 else 'rules'}"
