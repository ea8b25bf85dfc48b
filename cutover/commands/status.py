"""`cutover status`: what the stack does now, and with a cluster's key, whether that cluster is ready to serve."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.aws import minutes, support, surroundings
from cutover.aws.account import read
from cutover.aws.live import Live
from cutover.aws.session import LiveError
from cutover.commands import probing
from cutover.commands.opened import opened
from cutover.commands.status_tables import show, show_checks
from cutover.commands.terminal import Code, FolderOption, JsonOption, StackOption, say, stop
from cutover.engine.stack_file import ProjectError
from cutover.rules import preflight
from cutover.rules.check import idle
from cutover.rules.status import WINDOW, document, judge
from cutover.rules.verdict import Verdict
from settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import boto3

    from cutover.rules.found import Found
    from cutover.rules.traffic import Reading
    from cutover.rules.verdict import Row


def status(
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="A cluster to check, such as v1-36.")] = None,
    *,
    stack: StackOption = None,
    cwd: FolderOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show what is live beside what is wanted, and whether a rollback would land.

    Moves nothing. Exit code 1 where a cluster has a share and no target. With
    KEY, checks too whether that cluster is ready to serve, with exit code 1 where
    it is not, and 7 where that could not all be read; what the probes of its
    routes saw is written down for the gate.

    Example: cutover status v1-36 -s prod
    JSON: docs/json.md
    """
    with opened("status", cwd, stack, as_json=as_json) as here:
        known = here.project
        unconfirmed = known.unconfirmed()
        try:
            settings = here.settings
        except (ProjectError, SettingsError):
            if unconfirmed:
                say(str(unconfirmed), "yellow")
            raise
        if key is not None and key not in settings.clusters:
            stop(
                Code.USAGE,
                f"{key} is no cluster of {known.file_name}, so nothing was checked. Name one of "
                f"{', '.join(settings.clusters)}",
            )
        aws, live, today = here.account, here.live, datetime.now(UTC).date()
        found, unheld = _found(live)
        account = read(live, settings, everything=True, found=found)
        supported = support.read(aws, settings)
        state = judge(account, _counted(aws, found), supported, known.named, unheld)
        state = replace(state, unconfirmed=unconfirmed)
        rows: list[Row] = []
        if key is not None:
            if not as_json:
                say(f"Checking {key}: EKS looks at its insights anew, which takes up to half a minute.", "dim")
            own = next(one for one in supported if one.cluster == key)
            facts = surroundings.read(account, aws, key, own, today)
            rows = preflight.judge(facts)
            probing.note(here, account, key, facts.answers)
        if as_json:
            here.show({**document(state, today), **({} if key is None else _checks(key, rows))})
        else:
            show(known, state, today)
            if key is not None:
                show_checks(key, rows)
        for text in idle(rows, settings.checks.ignore, preflight.CHECKS) if key else ():
            say(text, "yellow")
    _end(rows, lost=bool(state.emptied))


def _end(rows: Sequence[Row], *, lost: bool) -> None:
    verdicts = {row.verdict for row in rows if not row.ignored}
    if lost or Verdict.BAD in verdicts:
        raise typer.Exit(Code.REFUSED)
    if Verdict.UNKNOWN in verdicts:
        raise typer.Exit(Code.UNREAD)


def _found(live: Live) -> tuple[Found, str]:
    """Find what is live, and say why nothing tells whether there is a hold, where SSM is silent."""
    found = live.traffic()
    for doubt in found.doubts:
        say(doubt, "yellow")
    try:
        return replace(found, hold=live.hold()), ""
    except LiveError as error:
        return found, str(error)


def _counted(aws: boto3.Session, found: Found) -> Reading | None:
    """Count the traffic. Where CloudWatch is silent, everything else is worth seeing all the more."""
    groups = {arn: rule.load_balancer for rule in found.rules.values() for arn in rule.weights}
    try:
        return minutes.read(aws, groups, *minutes.before(datetime.now(UTC), WINDOW))
    except LiveError as error:
        say(f"Traffic could not be counted: {error}", "yellow")
        return None


def _checks(key: str, rows: Sequence[Row]) -> Mapping[str, Any]:
    """Return the preflight as JSON has it."""
    return {
        "key": key,
        "checks": [
            {
                "code": row.code,
                "check": row.check,
                "verdict": row.verdict.value,
                "evidence": row.evidence,
                "cure": row.cure,
                "ignored": row.ignored,
            }
            for row in rows
        ],
    }
