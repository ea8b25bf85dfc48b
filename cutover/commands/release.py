"""`cutover release`: the hold that a rollback left is lifted, with open eyes for what then moves."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cutover.confirmed import Confirmed
from cutover.live import HoldError, Live, session
from cutover.missing import missing
from cutover.shift import drifted, live_weights, said
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
    from collections.abc import Iterator, Sequence

    from cutover.gate import Hold
    from cutover.live import Found
    from cutover.project import Project


def release(
    *, stack: StackOption = None, cwd: FolderOption = Path(), as_json: JsonOption = False, yes: YesOption = False
) -> None:
    """Lift the hold that a rollback left, so that weights can be moved again.

    Shows first who left it and why, and what the next `pulumi up` with the stack
    file as it is here would then move.

    Example: cutover release -s prod
    JSON: docs/json.md
    """
    with told():
        known = project(cwd, stack)
        account = session(known.aws(lambda text: say(text, "yellow")))
        live = Live(account, known.owner)
        file, found = known.content(), live.traffic()
        hold, unreadable = _hold(live)
        moves, lacking, unknown = _next(known, replace(found, hold=hold))
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
            for line in _shown(known, hold, moves, lacking, unknown):
                (messages if as_json else results).print(line, markup=False)
            confirm(f"Lift the hold of {known.stack}?", yes=yes)
            Confirmed(file, found).check(known, live.traffic())
            _check_same(known, (hold, unreadable), _hold(live))
            _lift(Writes(account, known.owner))
        if as_json:
            document = {"hold": hold and asdict(hold), "moves": moves, "missing": lacking, "unknown": unknown}
            show_json("release", {"stack": known.stack, **document, "unreadable": unreadable})


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


def _shown(
    known: Project, hold: Hold | None, moves: Sequence[str], lacking: Sequence[str], unknown: str
) -> Iterator[str]:
    if hold:
        yield f"{known.stack}: {hold} holds the weights:"
        yield from (f"  {route}: {said(weights)}" for route, weights in hold.weights.items())
    if unknown:
        yield f"Nobody can tell what the next `pulumi up` would move: {unknown}"
    elif moves:
        yield f"{known.file_name} as it is here says otherwise. The next `pulumi up` with it would move"
        yield from (f"  {move}" for move in moves)
    elif not lacking:
        yield f"{known.file_name} as it is here says the same: with it the next `pulumi up` moves nothing."
    if lacking:
        yield f"AWS lacks what {known.file_name} has, and no `pulumi up` without a refresh makes it:"
        yield from (f"  {one}" for one in lacking)
    yield f"What counts is the {known.file_name} that is applied next: look at what is merged, too."


def _next(known: Project, found: Found) -> tuple[list[str], list[str], str]:
    """Return what the stack file as it is here would move, what of it AWS lacks, and why that is not known."""
    try:
        settings = known.as_written()
    except SettingsError as error:
        return [], [], error.found
    except Exception as error:  # whatever stands in the file, it may not keep a hold from being lifted
        return [], [], str(error)
    moved = drifted(settings, live_weights(found))
    moves = [f"{route}: {said(live)} -> {said(settings.weights_of(route))}" for route, live in moved.items()]
    return moves, [str(one) for one in missing(settings, found, known.named)], ""


def _lift(writes: Writes) -> None:
    try:
        writes.release()
    except WriteError as error:
        stop(Code.FAILED, f"The hold stands still, since AWS did not lift it: {error}. Run the same again")
    say("The hold is lifted. Weights can be moved again.")
