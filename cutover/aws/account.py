"""One reading of AWS: what is live, how well it is, and what seven days of CloudWatch prove.

Owns that as little is asked as a judgement needs. Refuses to own the reads (live.py, buckets.py) and which routes move
(cutover/rules/account.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cutover.aws import buckets
from cutover.calls import OutsideError, threads, waiting
from cutover.rules.account import Account, carriers, counts, firsts, moves, taken_from
from cutover.rules.evidence import Unproven, evidence
from cutover.rules.probes import asks, standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cutover.aws.live import Live
    from cutover.rules.evidence import Bucket, Evidence
    from cutover.rules.found import Found
    from cutover.rules.move import Probed
    from cutover.rules.probes import Record
    from cutover.rules.verdict import Unread
    from settings import Settings


def read(aws: Live, settings: Settings, *, everything: bool = False, found: Found | None = None) -> Account:
    """Read what a judgement needs of the routes that move, or ``everything``.

    Of those it is the health of groups with a share before or after, and what CloudWatch has; of the others nothing.
    ``found`` is what was found already.

    :raises LiveError: AWS could not be read
    """
    with waiting("what AWS has of the stack"):
        return _read(aws, settings, found or aws.find(), everything=everything)


def _read(aws: Live, settings: Settings, found: Found, *, everything: bool) -> Account:
    routes = [name for name in settings.routes if everything or moves(found, settings, name)]
    asked = [group for arn, group in found.groups.items() if everything or counts(found, settings, routes, arn)]
    asked += [group for route in routes for group in taken_from(found, settings, route)]
    with threads(2) as pool:
        proven = pool.submit(prove, aws, {route: carriers(found, settings, route) for route in routes})
        first = [(route, cluster) for route in routes for cluster in firsts(found, settings, route)]
        seen = pool.submit(aws.probed, first)
        return Account(settings, found, aws.health(asked), proven.result(), _probed(settings, seen.result()))


def _probed(
    settings: Settings, seen: Mapping[tuple[str, str], Record | Unread | None]
) -> dict[tuple[str, str], Probed]:
    now = datetime.now(UTC)
    return {place: standing(record, asks(settings, place[0]), now) for place, record in seen.items()}


def prove(aws: Live, carriers: Mapping[str, Mapping[str, str]]) -> dict[str, Evidence | Unproven]:
    """Return by route what seven days of CloudWatch prove, or why they prove nothing.

    ``carriers`` are by route the target groups that carry it, by ARN, each with its load balancer's.
    """
    groups = {arn: balancer for its in carriers.values() for arn, balancer in its.items()}
    now = datetime.now(UTC)
    try:
        had = buckets.read(aws.cloudwatch, groups, now) if groups else {}
    except OutsideError as error:
        return dict.fromkeys(carriers, Unproven(f"CloudWatch could not be read: {error}"))
    return {route: _proven({arn: had[arn] for arn in its}, now) for route, its in carriers.items()}


def _proven(had: Mapping[str, Mapping[datetime, Bucket]], now: datetime) -> Evidence | Unproven:
    try:
        return evidence(had, now)
    except Unproven as why:
        return why
