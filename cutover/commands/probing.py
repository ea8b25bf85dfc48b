"""Probes on their way: asked before a cluster gets a share, shown, and written down for the gate.

Owns what is said of them, and that nothing is forgotten which somebody saw before who was nearer. Refuses to own the
requests (aws/previews.py), and which moves need them (rules/gate.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cutover.aws.previews import Previews
from cutover.aws.writes import WriteError, Writes
from cutover.calls import at_once
from cutover.commands.somebody import somebody
from cutover.commands.terminal import Code, say, stop
from cutover.rules import gate
from cutover.rules.account import firsts
from cutover.rules.probes import Record, asks, seen, standing, unasked, wrong
from settings.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cutover.commands.opened import Opened
    from cutover.rules.account import Account
    from cutover.rules.facts import Answer
    from cutover.rules.move import Probed

_AT_ONCE = 3  # SSM takes three writes a second, for everybody


def note(here: Opened, account: Account, key: str, answers: Sequence[Answer]) -> dict[tuple[str, str], Probed]:
    """Write down for the gate what probes saw in a cluster, and return it by route and cluster.

    Where it cannot be written, that is said.
    """
    settings, now = account.settings, datetime.now(UTC)
    owner = settings.owner
    writes = Writes(here.account, owner, settings.aws.tags(owner.project, owner.stack))
    when = now.strftime("%Y-%m-%dT%H:%MZ")
    records = {
        route: Record(who=somebody(), when=when, asks=asks(settings, route), failed=failed, version=VERSION)
        for route, failed in seen(answers).items()
    }
    told = at_once(lambda route: _write(writes, route, key, records[route]), records, _AT_ONCE)
    if lost := {why for why in told if why}:
        say(
            f"What the probes saw in {key} could not be written down, so the gate does not know it: "
            f"{'; '.join(sorted(lost))}. Let the role call ssm:PutParameter (docs/policies/changes.json)",
            "yellow",
        )
    return {(route, key): standing(record, record.asks, now) for route, record in records.items()}


def check(here: Opened, account: Account, weights: Mapping[str, Mapping[str, int]], again: str | None = None) -> None:
    """Ask the probes of whoever gets a first share by these weights of routes; end the command where one may not.

    ``again`` is a cluster that is asked whatever share it has. Of whom nobody was reached, somebody else may have seen.

    :raises LiveError: AWS could not be read
    """
    known, failed = dict(account.probed), list[str]()
    for cluster, routes in _due(account, weights, again).items():
        answers = Previews(here.account, account, cluster).probes(routes)
        for one in answers:
            _tell(cluster, one)
        known |= note(here, account, cluster, answers)
        failed += [f"{cluster}: {text}" for text in wrong(answers) if cluster == again]
    override = account.settings.gate.override
    if override and all(override.weights == wanted for wanted in weights.values()):
        return
    moves = [replace(account, probed=known).move(route, wanted) for route, wanted in weights.items()]
    refused = [str(one) for move in moves for one in gate.unprobed(move, here.named)]
    cure = "See what stands behind the gateway there, then run the same again"
    if listed := refused or [f"{text}. {cure}." for text in failed]:
        lines = "\n".join(f"  {one}" for one in listed)
        stop(Code.REFUSED, f"probes speak against it. Nothing was moved:\n{lines}")


def _due(account: Account, weights: Mapping[str, Mapping[str, int]], again: str | None) -> dict[str, list[str]]:
    """Return by cluster the routes whose probes are to be asked of it."""
    due: dict[str, list[str]] = {}
    for route, wanted in weights.items():
        first = firsts(account.found, account.settings, route)
        for cluster in wanted:
            if account.settings.routes[route].probes and (cluster in first or (cluster == again and wanted[cluster])):
                due.setdefault(cluster, []).append(route)
    return due


def _tell(cluster: str, answer: Answer) -> None:
    if text := next(iter(wrong([answer])), ""):
        say(f"{cluster}: {text}", "red")
    elif text := next(iter(unasked([answer])), ""):
        say(f"{cluster}: not asked from here: {text}", "yellow")
    else:
        say(f"{cluster}: {answer.said} is answered with {answer.status}", "dim")


def _write(writes: Writes, route: str, key: str, record: Record) -> str:
    """Write a record, and return why it could not be."""
    try:
        writes.saw(route, key, record)
    except WriteError as error:
        return str(error)
    return ""
