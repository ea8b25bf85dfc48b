"""`cutover guard`: preview a change with the gate in it, and judge the plan, as a pull request shows it.

Owns the question and how the judgement is shown. Refuses to own the rules (judgement.py, gate.py).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markdown import Markdown

from cutover.aws import usage
from cutover.aws.account import read
from cutover.aws.live import Live
from cutover.aws.session import Sessions, session
from cutover.calls import OutsideError
from cutover.commands import terminal
from cutover.commands.comment import Judged, document, listed, markdown
from cutover.commands.opened import Opened, opened
from cutover.commands.terminal import Code, FolderOption, JsonOption, StackOption
from cutover.engine.stack_file import ProjectError
from cutover.inside import lists
from cutover.rules import history
from cutover.rules import retire as rules
from cutover.rules.giver import beside
from cutover.rules.judgement import leaving, weights
from cutover.rules.missing import unseen
from cutover.rules.run import Run
from cutover.rules.shift import live_weights
from settings import SettingsError

if TYPE_CHECKING:
    import boto3

    from cutover.engine.project import Project
    from cutover.rules.found import Found
    from cutover.rules.retire import Reason
    from settings import Settings


def guard(*, stack: StackOption = None, cwd: FolderOption = Path(), as_json: JsonOption = False) -> None:
    """Preview the stack and judge the plan: its kind, and what it may not contain.

    Markdown on stdout, for a pull request. Exit code 1 when the plan breaks a
    rule, the gate refuses it, or `cutover retire` would refuse to take a cluster
    away, 2 when the stack file is wrong.

    Example: cutover guard -s prod | tee -a "$GITHUB_STEP_SUMMARY"
    JSON: docs/json.md
    """
    code = Code.REFUSED
    with opened("guard", cwd, stack, as_json=as_json) as here:
        project = here.project
        if unconfirmed := project.unconfirmed():
            terminal.say(str(unconfirmed), "yellow")
        try:
            judged = _judged(here, here.settings)
        except SettingsError as error:
            judged, code = _unplanned(project, str(error)), Code.USAGE
    if as_json:
        here.show(document(judged))
    else:
        _print(markdown(judged))
    if judged.refused:
        raise typer.Exit(code)


def _judged(here: Opened, settings: Settings) -> Judged:
    project, account, found = here.project, here.account, here.live.find()
    sessions = Sessions(settings, account)
    silent = lists.silent({key: (sessions.of(key), settings.eks_name(key)) for key in settings.clusters})
    but = f", but for what stands inside {listed(silent)}: no answer from there" if silent else ""
    terminal.say(f"Previewing {project.stack}{but}")
    run = project.preview_but(silent)
    return Judged(
        stack=project.stack,
        named=project.named,
        run=run,
        missing=unseen({route: state for route, (state, _) in weights(run).items()}, found, project.named),
        live=live_weights(found),
        serving=found.serving,
        instead={route: rule.instead for route, rule in found.rules.items() if rule.instead},
        leaving=_leaving(project, settings, account, run, found) if leaving(run) else {},
        hold=found.hold,
        silent=silent,
        beside=beside(settings, found),
        emptied=found.emptied(here.live.health(found.sharing)),
    )


def _leaving(
    project: Project, settings: Settings, account: boto3.Session, run: Run, found: Found
) -> dict[str, list[Reason]]:
    """Return by cluster that a plan takes away what `cutover retire` would say against it."""
    seen = read(Live(account, project.owner), settings, everything=True, found=found)
    updates = project.history()
    against: dict[str, list[Reason]] = {}
    for key in leaving(run):
        terminal.say(f"Looking who uses {key}")
        entry = history.last_entry(updates, key, project.name)
        eks_name, stays = entry.get("name") or settings.eks_name(key), "existing" in entry
        since = history.zero_since(updates, key, project.name)
        case = usage.case(account, seen, key, eks_name, stack=project.named, zero_since=since, stays=stays)
        held = rules.held(seen.found, key, project.named)
        against[key] = [*([held] if held else []), *rules.reasons(case)]
    return against


def _unplanned(project: Project, why: str) -> Judged:
    """Return the judgement of a stack file that is wrong: no plan, and still what AWS says."""
    judged = Judged(stack=project.stack, named=project.named, run=Run((), (), 0.0, why), unplanned=True)
    try:
        aws = project.aws(lambda text: terminal.say(text, "yellow"))
        found = Live(session(aws), project.owner).find()
    except (OutsideError, ProjectError) as error:
        return replace(judged, blind=str(error))
    instead = {route: rule.instead for route, rule in found.rules.items() if rule.instead}
    return replace(judged, live=live_weights(found), serving=found.serving, instead=instead, hold=found.hold)


def _print(text: str) -> None:
    if terminal.results.is_terminal:
        terminal.results.print(Markdown(text), soft_wrap=False)
    else:
        terminal.results.print(text, markup=False)
