"""Whether a route's probes speak for a cluster: what each was answered, and what somebody saw who asked last. Pure.

Owns which answers are well, which record of them counts, and for how long. Refuses to own the asking
(aws/previews.py), where a record stands (aws/probe_records.py), and which moves need one (gate.py).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cutover.rules.check import Check
from cutover.rules.move import UNPROBED, Probed
from cutover.rules.verdict import Unread, Verdict, some

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cutover.rules.check import Judged
    from cutover.rules.facts import Answer
    from settings import Settings

COUNTS = timedelta(hours=1)
"""How long it counts what somebody saw: a look before a change, and the change."""

SERVING = "SERVING"
"""What the health protocol of gRPC calls well."""

_LONGEST = 1000  # letters of what was seen; a parameter of SSM has room for 4096


@dataclass(frozen=True, kw_only=True)
class Record:
    """What somebody saw who asked a route's probes of a cluster.

    ``when`` is ISO 8601, in UTC; ``asks`` tells these probes from others, ``failed`` what was not as expected, and is
    empty where all was. ``version`` is that of the program that asked.
    """

    who: str
    when: str
    asks: str
    failed: str
    version: str


def asks(settings: Settings, route: str) -> str:
    """Return what tells a route's probes from what they were, or will be, after an edit."""
    named = settings.load_balancers[settings.load_balancer_of(route)].names
    wanted = [
        [probe.host_of(settings.routes[route], tuple(named)), probe.path, probe.codes, probe.service]
        for probe in settings.routes[route].probes
    ]
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:12]


def wrong(answers: Iterable[Answer]) -> list[str]:
    """Say of each probe that was not answered as expected by what it was."""
    return [text for one in answers if (text := _wrong(one))]


def unasked(answers: Iterable[Answer]) -> list[str]:
    """Say of each probe why it could not be asked from here."""
    return [f"{one.said}: {one.status}" for one in answers if isinstance(one.status, Unread) and not one.untrusted]


def seen(answers: Iterable[Answer]) -> dict[str, str]:
    """Return by route what its probes saw that was not as expected; empty where all were asked, and all was.

    A route whose probes could not all be asked, and none of which failed, is left out: nobody has seen anything.
    """
    found: dict[str, str] = {}
    for route, its in _by_route(answers).items():
        failed = wrong(its)
        if failed or not unasked(its):
            found[route] = "; ".join(failed)[:_LONGEST]
    return found


def standing(record: Record | Unread | None, wanted: str, now: datetime) -> Probed:
    """Return whether a record speaks for a cluster ``now``; ``wanted`` is what `asks` returns of its probes."""
    if record is None:
        return UNPROBED
    if isinstance(record, Unread):
        return Probed(well=False, said=f"what its probes saw last could not be read ({record})")
    by = f"{record.who} at {record.when}"
    if record.asks != wanted:
        return Probed(well=False, said=f"its probes were last asked by {by}, and are others since")
    if record.failed:
        return Probed(well=False, said=f"its probes were last asked by {by}, and failed: {record.failed}")
    # A clock that goes wrong elsewhere makes nothing last longer.
    if abs(now - datetime.fromisoformat(record.when)) > COUNTS:
        return Probed(well=False, said=f"its probes were last asked by {by}, which counts for an hour")
    return Probed(well=True, said=f"its probes were answered as expected, as {record.who} saw at {record.when}")


def _by_route(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    found: dict[str, list[Answer]] = {}
    for one in answers:
        if one.probe:
            found.setdefault(one.route, []).append(one)
    return found


def _wrong(answer: Answer) -> str:
    if answer.untrusted:
        return f"{answer.said}: {answer.status}"
    if answer.probe is None or isinstance(answer.status, Unread):
        return ""
    well = answer.probe.expects(answer.status) if isinstance(answer.status, int) else answer.status == SERVING
    expected = SERVING if answer.grpc else answer.probe.codes
    return "" if well else f"{answer.said} is answered with {answer.status} in place of {expected}"


def _judged(answers: Sequence[Answer]) -> Judged:
    if failed := wrong(answers):
        cure = "See what stands behind the gateway in this cluster: its routes, and their workloads. Then ask again"
        return Verdict.BAD, some(failed), cure
    if blind := unasked(answers):
        cures = [one.status.cure for one in answers if isinstance(one.status, Unread)]
        raise Unread(some(blind), cures[0])
    return Verdict.OK, some(f"{one.said} is answered with {one.status}" for one in answers), ""


CHECK = Check(
    code="CUT029",
    title="probes",
    why="A gateway that is healthy is no application that answers: target health cannot see an empty mesh, whose "
    "gateway answers everything with 404. Before a route with probes gives a cluster its first share they must "
    "have been asked, within the hour.",
    evidence="The route's `probes`, asked through the preview rule of this cluster alone. What they saw is written "
    "down for the gate, which cannot reach inside a network (SSM, `/eks-cutover/PROJECT/STACK/probes/KEY/ROUTE`).",
    cure="See what stands behind the gateway. Where a probe could not be asked, ask from where the load balancer is "
    "reached.",
    page="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html",
    judged=_judged,
    each=lambda facts: _by_route(facts.answers).items(),
)
