"""`cutover rollback`: all traffic back to the older cluster, at once, and kept there.

Owns the order of acts: what makes clients safe comes first (hold, rules), what only keeps records comes last (stack
file, state), and a failure of the one never stops the other. Refuses to own where it lands (rollback.py).
"""

from __future__ import annotations

import getpass
import socket
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import typer
from rich import box
from rich.table import Table

from cutover.gate import Policy
from cutover.live import Live, LiveError, session
from cutover.project import ProjectError, rules
from cutover.rollback import (
    RollbackError,
    Seen,
    all_on,
    as_far_as_covered,
    goal,
    held,
    landings,
    to_write,
)
from cutover.shift import said
from cutover.terminal import (
    Code,
    FolderOption,
    JsonOption,
    StackOption,
    YesOption,
    confirm,
    messages,
    project,
    results,
    say,
    show_json,
    stop,
    told,
)
from cutover.writes import WriteError, Writes
from settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import Console

    from cutover.gate import Hold
    from cutover.live import Found
    from cutover.lock import Lock
    from cutover.project import Project
    from cutover.rollback import Landing
    from settings import Settings

T = TypeVar("T")

_LOOK_SECONDS = 0.7  # for each thing that is good to have, and that no rollback may wait for
_HOLD_SECONDS = 20.0
_GROUPS_LOOKED_AT = 25  # of the 40 reads that ELB takes at once: the rules must be read, too
_WATCH_SECONDS = 600.0
_EVERY_SECONDS = 1.0
_ATTEMPTS = 3


def rollback(
    *,
    stack: StackOption = None,
    cwd: FolderOption = Path(),
    to: Annotated[
        str | None, typer.Option("--to", metavar="KEY", help="The cluster to go to, else the older one.")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Move each route only as far as that cluster covers its share.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the hold tells it to others.")] = "",
    as_json: JsonOption = False,
    yes: YesOption = False,
) -> None:
    """Move all traffic back to the older cluster at once, and hold it there.

    Works while the state is locked, the stack file is broken or a cluster is dead. The hold refuses all other weights
    until `cutover release`. Run again, it only ends what was left.

    Example: cutover rollback -s prod --reason "5xx on checkout" --yes

    JSON: stack; to; routes: a list of route, before, after, healthy, needed, covered, note; moved: how many rules were
    changed; seconds: what hold and rules took; hold: who, why, when; left: what remains to be done, a text each.
    """
    with told():
        known = project(cwd, stack)
        act = _plan(known, to, partial=partial, reason=reason)
        _show(act, messages if as_json else results)
        confirm(f"Move {known.stack} to {act.key} as shown?", yes=yes)
        done = _move(act)
        left = [*done.left, *_keep_records(act)]
        failed = act.writes.set_weights(act.wanted).failed
        _tell(act, left, failed)
        if as_json:
            show_json("rollback", _document(act, done, left))
    if failed:
        raise typer.Exit(Code.FAILED)
    if left:
        raise typer.Exit(Code.UNFINISHED)


@dataclass(frozen=True)
class _Act:
    """What is about to be done. ``landed`` has the routes with most requests first."""

    project: Project
    writes: Writes
    key: str
    landed: Sequence[Landing]
    hold: Hold
    found: Found
    again: str

    @property
    def wanted(self) -> dict[str, Mapping[str, int]]:
        """The weights by rule."""
        return {landing.rule: landing.wanted for landing in self.landed}


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
            self._answers.append(ask())
        except (LiveError, WriteError) as error:
            self.error = str(error)


def _plan(known: Project, to: str | None, *, partial: bool, reason: str) -> _Act:
    settings = _as_written(known)
    account = session(settings.aws if settings else known.aws())
    live, writes = Live(account, known.stack), Writes(account, known.stack)
    asked = _Asked(live.hold)
    found = live.traffic()
    if not found.rules:
        stop(
            Code.USAGE,
            f"{account.region_name} has no weighted rule of the stack {known.stack}, so there is nothing to move. Look "
            "whether stack, region and account are the right ones",
        )
    found = replace(found, hold=asked.by(time.monotonic() + _LOOK_SECONDS, None))
    try:
        key = to or goal(found, unsure=not asked.answered)
        wanted = all_on(found, key)
    except RollbackError as error:
        stop(Code.USAGE, str(error))
    seen, requests = _look(live, found, wanted, settings)
    if partial:
        wanted = as_far_as_covered(found, wanted, seen)
    landed = landings(found, wanted, seen, f"stays: no target group of {key}")
    landed.sort(key=lambda landing: -requests.get(landing.route, 0))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
    hold = held(landed, f"{getpass.getuser()}@{socket.gethostname()}", reason or "no reason given", now)
    if found.hold and found.hold.weights == hold.weights and not reason:
        hold = found.hold
    again = f"cutover rollback -s {known.stack} --to {key}{' --partial' if partial else ''}"
    return _Act(known, writes, key, landed, hold, found, again)


def _as_written(known: Project) -> Settings | None:
    try:
        return known.as_written()
    except (ProjectError, SettingsError) as error:
        say(f"{error}\nThe rollback goes on without the stack file.", "yellow")
        return None


def _look(
    live: Live,
    found: Found,
    wanted: Mapping[str, Mapping[str, int]],
    settings: Settings | None,
) -> tuple[Seen, Mapping[str, float]]:
    """Ask at once for all that is good to know, and return what has come in time."""
    end = time.monotonic() + _LOOK_SECONDS
    landing = [arn for weights in wanted.values() for arn, weight in weights.items() if weight]
    serving = [arn for rule in found.rules.values() for arn, weight in rule.weights.items() if weight]
    looked_at = list(dict.fromkeys(arn for arn in [*landing, *serving] if arn in found.groups))[:_GROUPS_LOOKED_AT]
    health = _Asked(lambda: live.health([found.groups[arn] for arn in looked_at]))
    requests = _Asked(lambda: live.requests(found.rules))
    capacities = {route: one.capacity for route, one in settings.routes.items()} if settings else {}
    peaks = {
        route: _Asked(lambda rule=rule: live.peak(rule))
        for route, rule in found.rules.items()
        if capacities.get(route) is None
    }
    seen = Seen(
        health.by(end, {}),
        {route: asked.by(end, None) for route, asked in peaks.items()},
        capacities,
        Policy(settings.gate.min_healthy, settings.gate.headroom) if settings else Policy(),
    )
    return seen, requests.by(end, {})


def _show(act: _Act, console: Console) -> None:
    if act.found.hold:
        hold = act.found.hold
        say(f"A rollback of {hold.when} by {hold.who} ({hold.why}) holds the weights already.")
    table = Table("route", "now", "then", "healthy", "needed", "covers", "", box=box.SIMPLE)
    for landing in act.landed:
        table.add_row(
            landing.route,
            said(landing.before),
            said(landing.after),
            *("?" if number is None else str(number) for number in (landing.units, landing.needed)),
            "?" if landing.covered is None else f"{float(landing.covered):.0%}",
            landing.note,
        )
    console.print(table)
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
    moved = len(act.writes.set_weights(act.wanted).moved)
    seconds = time.monotonic() - begin
    say(f"{_rules(moved)} moved in {seconds:.2f} s.")
    for _ in range(_ATTEMPTS):
        if not _again(act):
            break
    hold.by(begin + _HOLD_SECONDS, None)
    if not hold.answered:
        left.append(f"No hold could be left, so any `pulumi up` may move traffic again: {hold.error}")
    return _Done(moved, seconds, left)


def _again(act: _Act) -> bool:
    """Put back what somebody has moved meanwhile, and tell whether anything was."""
    moved = act.writes.set_weights(act.wanted).moved
    for landing in (landing for landing in act.landed if landing.rule in moved):
        say(f"{landing.route} was moved by somebody else, and is put back.", "yellow")
    return bool(moved)


def _watch(act: _Act) -> Lock | None:
    """Hold the rules while an update that began before the hold may still move them; return the lock that stays."""
    lock = act.project.locked()
    if lock is None or lock.dead:
        return lock
    say(f"An update of {lock} is under way and may move traffic again. Watching until it ends.")
    end = time.monotonic() + _WATCH_SECONDS
    while lock and not lock.dead and time.monotonic() < end:
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
        settings = known.settings()
        _write(act, settings)
    except (ProjectError, SettingsError) as error:
        left.append(f"{known.file.name} and the state do not say it yet: {error}")
    if lock:
        cure = f"Run `pulumi cancel -s {known.stack}`" if lock.dead else "Wait for it"
        left.append(f"The state is locked by {lock}. {cure}")
    if left or settings is None:
        return left
    live = [one.route for one in act.landed if one.route in settings.routes and settings.routes[one.route].live]
    for run in (known.refresh, known.up):
        if failure := run(rules(live)).failure:
            return [f"The state does not say it yet: {failure.strip()}"]
    return []


def _write(act: _Act, settings: Settings) -> None:
    for route, weights in to_write(settings, act.landed).items():
        act.project.write_weights(weights, route)
        of = f"the weights of {route}" if route else "the weights"
        say(f"{act.project.file.name}: {of} are {said(weights)} now.")


def _tell(act: _Act, left: Sequence[str], failed: Mapping[str, str]) -> None:
    for landing in (landing for landing in act.landed if landing.rule in failed):
        say(f"{landing.route} could not be moved: {failed[landing.rule]}", "red")
    for one in left:
        say(one, "yellow")
    if failed or left:
        say(f"{'' if failed else 'Traffic is safe. '}Once that is mended, end it with: {act.again}")
        return
    say(
        f"AWS, {act.project.file.name} and the state agree. Commit {act.project.file.name}. Once the reason is gone: "
        f"cutover release -s {act.project.stack}"
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
