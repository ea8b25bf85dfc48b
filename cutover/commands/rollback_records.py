"""What a rollback leaves once traffic has moved: the hold, the stack file and the state, and an update kept in check.

Refuses to own the moving (rollback.py).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cutover import calls
from cutover.commands.terminal import say
from cutover.engine.project import rules
from cutover.engine.stack_file import ProjectError
from cutover.rules.judgement import touched, weights_alone
from cutover.rules.rollback import to_write
from cutover.rules.shift import said
from settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cutover.aws.writes import Outcome
    from cutover.commands.rollback_plan import Act
    from cutover.engine.lock import Lock
    from cutover.engine.project import Project
    from cutover.rules.run import Run
    from settings import Settings


_EVERY_SECONDS = 1.0
_FILE_SECONDS = 15.0  # for another command to leave the stack file alone: a shift verifies what it has done


def watch(act: Act) -> Lock | None:
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
            again(act)
    return lock


def keep_records(act: Act) -> list[str]:
    """Bring stack file and state to say what AWS does, and return what could not be done."""
    left: list[str] = []
    known = act.project
    lock = settings = None
    try:
        lock = watch(act)
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


def _write(act: Act, settings: Settings) -> None:
    for route, weights in to_write(settings, [*act.landed, *act.absent]).items():
        act.project.write_weights(weights, route)
        of = f"the weights of {route}" if route else "the weights"
        say(f"{act.project.file_name}: {of} are {said(weights)} now.")


def again(act: Act, refused: Collection[str] = ()) -> Outcome:
    """Put back what somebody has moved meanwhile, and try again the rules that AWS has ``refused``."""
    outcome = act.writes.set_weights(act.wanted)
    for landing in (landing for landing in act.landed if landing.rule in outcome.moved):
        if landing.rule in refused:
            say(f"{landing.route} has moved now.")
        else:
            say(f"{landing.route} was moved by somebody else, and is put back.", "yellow")
    return outcome
