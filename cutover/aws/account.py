"""One reading of AWS, and the moves that can be judged on it: what is live beside what a stack file wants.

Owns which health and which history a judgement needs. Refuses to own the reads (live.py, buckets.py) and the rules
(gate.py, evidence.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cutover.aws import buckets
from cutover.calls import OutsideError, threads, waiting
from cutover.rules.evidence import Unproven, evidence
from cutover.rules.gate import Group, Move, Policy, shares

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from cutover.aws.live import Found, Live
    from cutover.rules.evidence import Bucket, Evidence
    from settings import Settings

_UNREAD = Unproven("CloudWatch was not asked")


@dataclass(frozen=True)
class Account:
    """What a stack has in AWS.

    ``health`` is by target group ARN. ``proven`` is by route what seven days of CloudWatch prove, or why they prove
    nothing. Of routes that nothing is asked about, neither was read.
    """

    settings: Settings
    found: Found
    health: Mapping[str, Group]
    proven: Mapping[str, Evidence | Unproven]

    def move(self, route: str, weights: Mapping[str, int]) -> Move:
        """Return the move that gives a route's clusters these weights."""
        arns = {cluster: self.found.group_of(route, cluster) for cluster in weights}
        wanted = {arn: weights[cluster] for cluster, arn in arns.items() if arn is not None}
        unknown = [cluster for cluster, arn in arns.items() if arn is None and weights[cluster] > 0]
        return self.move_to(route, wanted, unknown=unknown)

    def move_to(
        self,
        route: str,
        wanted: Mapping[str, int],
        *,
        unknown: Sequence[str] = (),
        unseen: Mapping[str, Group] | None = None,
    ) -> Move:
        """Return the move that gives target groups these weights, by ARN.

        ``unknown`` are clusters whose group does not exist yet, ``unseen`` groups that were made after the reading.
        """
        rule, proven = self.found.rules.get(route), self.proven.get(route, _UNREAD)
        return Move(
            route=route,
            live=rule.weights if rule else None,
            wanted=wanted,
            groups={**self.health, **(unseen or {})},
            unknown=unknown,
            first=not self._serves(self.settings.load_balancer_of(route)),
            evidence=None if isinstance(proven, Unproven) else proven,
            unproven=str(proven) if isinstance(proven, Unproven) else "",
            capacity=self.settings.routes[route].capacity,
        )

    @property
    def policy(self) -> Policy:
        """What the stack file calls enough."""
        return Policy(self.settings.gate.min_healthy, self.settings.gate.headroom)

    def _serves(self, balancer: str) -> bool:
        """Tell whether a weighted rule on the load balancer sends requests to a target that is healthy, or may be.

        One that somebody made answer them otherwise, such as with a maintenance page, answers somebody. So does that of
        a route which the file has no more: it counts wherever it may stand.
        """
        of = {name: self.settings.load_balancer_of(name) for name in self.found.rules if name in self.settings.routes}
        elsewhere = {self.found.rules[name].load_balancer for name in of if of[name] != balancer}
        rules = [
            rule
            for name, rule in self.found.rules.items()
            if (of[name] == balancer if name in of else rule.load_balancer not in elsewhere)
        ]
        return any(rule.instead for rule in rules) or any(
            weight > 0 and (arn not in self.health or self.health[arn].unreadable or self.health[arn].units > 0)
            for rule in rules
            for arn, weight in rule.weights.items()
        )


def read(aws: Live, settings: Settings, *, everything: bool = False, found: Found | None = None) -> Account:
    """Read what a judgement needs of the routes that move, or ``everything``.

    Of those it is the health of groups with a share before or after, and what CloudWatch has; of the others nothing.
    ``found`` is what was found already.

    :raises LiveError: AWS could not be read
    """
    with waiting("what AWS has of the stack"):
        return _read(aws, settings, found or aws.find(), everything=everything)


def _read(aws: Live, settings: Settings, found: Found, *, everything: bool) -> Account:
    routes = [name for name in settings.routes if everything or _moves(found, settings, name)]
    asked = [group for arn, group in found.groups.items() if everything or _counts(found, settings, routes, arn)]
    with threads(1) as pool:
        proven = pool.submit(prove, aws, found, routes)
        return Account(settings, found, aws.health(asked), proven.result())


def prove(aws: Live, found: Found, routes: Sequence[str]) -> dict[str, Evidence | Unproven]:
    """Return by route what seven days of CloudWatch prove, or why they prove nothing."""
    groups = {
        arn: found.rules[group.route].load_balancer
        for arn, group in found.groups.items()
        if group.route in routes and group.route in found.rules
    }
    now = datetime.now(UTC)
    try:
        had = buckets.read(aws.cloudwatch, groups, now) if groups else {}
    except OutsideError as error:
        return dict.fromkeys(routes, Unproven(f"CloudWatch could not be read: {error}"))
    return {
        route: _proven({arn: had[arn] for arn in groups if found.groups[arn].route == route}, now) for route in routes
    }


def _proven(had: Mapping[str, Mapping[datetime, Bucket]], now: datetime) -> Evidence | Unproven:
    try:
        return evidence(had, now)
    except Unproven as why:
        return why


def _moves(found: Found, settings: Settings, route: str) -> bool:
    """Tell whether a route is to have other weights than it has."""
    if not settings.routes[route].live:
        return False
    rule, wanted = found.rules.get(route), settings.weights_of(route)
    if rule is None:
        return True
    named = {found.groups[arn].cluster if arn in found.groups else arn: of for arn, of in rule.weights.items()}
    return shares(named) != shares(wanted)


def _counts(found: Found, settings: Settings, routes: Collection[str], arn: str) -> bool:
    """Tell whether a judgement on routes needs the health of a group: it has a share in one, before or after."""
    group = found.groups[arn]
    rule = found.rules.get(group.route)
    serves = bool(rule and rule.weights.get(arn))
    if group.route in routes and (serves or settings.weights_of(group.route).get(group.cluster)):
        return True
    # Where a route is to have its first rule, it counts whether others on the load balancer serve already.
    firsts = {settings.load_balancer_of(name) for name in routes if name not in found.rules}
    return serves and group.route in settings.routes and settings.load_balancer_of(group.route) in firsts
