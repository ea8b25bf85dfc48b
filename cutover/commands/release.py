"""`cutover release`: the hold that a rollback left is lifted, with open eyes for what then moves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cutover.aws.hold import HoldError
from cutover.aws.live import Live
from cutover.aws.session import session
from cutover.aws.writes import WriteError, Writes
from cutover.commands.confirmed import Confirmed
from cutover.commands.opened import opened
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
    stop,
)
from cutover.rules.missing import missing
from cutover.rules.shift import drifted, live_weights, said
from settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cutover.engine.project import Project
    from cutover.rules.found import Found
    from cutover.rules.move import Hold
    from settings import Settings


def release(
    *, stack: StackOption = None, cwd: FolderOption = Path(), as_json: JsonOption = False, yes: YesOption = False
) -> None:
    """Lift the hold that a rollback left, so that weights can be moved again.

    Shows first who left it and why, and what the next `pulumi up` with the stack
    file as it is here would then move.

    Example: cutover release -s prod
    JSON: docs/json.md
    """
    with opened("release", cwd, stack, as_json=as_json) as here:
        known = here.project
        if unconfirmed := known.unconfirmed():
            say(str(unconfirmed), "yellow")
        account = session(known.aws(lambda text: say(text, "yellow")))
        live = Live(account, known.owner)
        file, found = known.content(), live.traffic()
        hold, unreadable = _hold(live)
        coming = _next(known, replace(found, hold=hold))
        if hold is None and not unreadable and not found.rules:
            stop(
                Code.USAGE,
                f"{account.region_name} has no weighted rule and no hold of the stack {known.stack}. Look whether "
                "stack, region and account are the right ones",
            )
        if hold is None and not unreadable:
            say(f"Nothing holds the weights of {known.stack}.")
        else:
            if unreadable:
                say(f"{unreadable}. Nobody can tell who left it, and why: ask, before it is deleted unread.", "yellow")
            for line in _shown(known, hold, coming, found):
                (messages if as_json else results).print(line, markup=False)
            confirm(f"Lift the hold of {known.stack}?", yes=yes)
            Confirmed(file, found).check(known, live.traffic())
            _check_same(known, (hold, unreadable), _hold(live))
            _lift(known, Writes(account, known.owner), live, (hold, unreadable))
        if as_json:
            document = {"stack": known.stack, "hold": hold and asdict(hold), **asdict(coming)}
            page = {route: rule.instead for route, rule in found.rules.items() if rule.instead}
            here.show({**document, "rulesWithoutForward": page, "unreadable": unreadable})


@dataclass(frozen=True)
class _Next:
    """What the stack file as it is here would move, what of it AWS lacks, and why that is not known."""

    moves: Sequence[str] = ()
    missing: Sequence[str] = ()
    unknown: str = ""


def _hold(live: Live) -> tuple[Hold | None, str]:
    """Return the hold, and why what stands in its place is none."""
    try:
        return live.hold(), ""
    except HoldError as error:
        return None, str(error)


def _check_same(known: Project, shown: tuple[Hold | None, str], present: tuple[Hold | None, str]) -> None:
    """Refuse to delete what nobody was shown: SSM deletes whatever stands there."""
    if present == shown:
        return
    hold, unreadable = present
    new = f"{hold} holds the weights now" if hold else unreadable or "it is lifted already"
    stop(
        Code.BUSY,
        f"The hold is no longer the one shown here: {new}. Nothing was changed. Look with cutover status -s "
        f"{known.named}, then run the same again",
    )


def _shown(known: Project, hold: Hold | None, coming: _Next, found: Found) -> Iterator[str]:
    if hold:
        yield f"{known.stack}: {hold} holds the weights:"
        yield from (f"  {route}: {said(weights)}" for route, weights in hold.weights.items())
    if coming.unknown:
        yield f"Nobody can tell what the next `pulumi up` would move: {coming.unknown}"
    elif coming.moves:
        yield f"{known.file_name} as it is here says otherwise. The next `pulumi up` with it would move"
        yield from (f"  {move}" for move in coming.moves)
    elif not coming.missing and not found.instead:
        yield f"{known.file_name} as it is here says the same: with it the next `pulumi up` moves nothing."
    if coming.missing:
        yield f"AWS lacks what {known.file_name} has, and no `pulumi up` without a refresh makes it:"
        yield from (f"  {one}" for one in coming.missing)
    if found.instead:
        yield (
            f"The weighted rules of {', '.join(found.instead)} forward to no cluster: somebody has given them another "
            "action, such as a maintenance page, which no `pulumi up` without a refresh takes away. Once it may go: "
            f"pulumi up --refresh -s {known.named}"
        )
    yield f"What counts is the {known.file_name} that is applied next: look at what is merged, too."


def _next(known: Project, found: Found) -> _Next:
    try:
        settings = known.as_written()
    except SettingsError as error:
        return _Next(unknown=error.found)
    except Exception as error:  # whatever stands in the file, it may not keep a hold from being lifted
        return _Next(unknown=str(error))
    live, page = live_weights(found), {route for route, rule in found.rules.items() if rule.instead}
    moved = {route: said(settings.weights_of(route)) for route in drifted(settings, live) if route not in page}
    moved |= {route: "no rule, which the gate refuses" for route in sorted(live) if not _kept(settings, route)}
    moves = [f"{route}: {said(live[route])} -> {becomes}" for route, becomes in moved.items()]
    return _Next(moves, [str(one) for one in missing(settings, found, known.named)])


def _kept(settings: Settings, route: str) -> bool:
    return route in settings.routes and settings.routes[route].live


def _lift(known: Project, writes: Writes, live: Live, shown: tuple[Hold | None, str]) -> None:
    """Lift the hold, and see that it is gone: SSM says nothing when it deletes, so a page in its place is no less."""
    try:
        writes.release()
    except WriteError as error:
        stop(Code.FAILED, f"The hold stands still, since AWS did not lift it: {error}. Run the same again")
    left = _hold(live)
    if left == shown:
        stop(Code.FAILED, "The hold stands still, although AWS seemed to lift it. Run the same again")
    hold, unreadable = left
    if hold or unreadable:
        new = f"{hold} holds the weights now" if hold else unreadable
        say(f"That hold is lifted, and {new}. Look, then lift it too: cutover release -s {known.named}", "yellow")
    else:
        say("The hold is lifted. Weights can be moved again.")
