"""What a stack has in AWS beside what its file wants, and the moves that can be judged on it.

Pure. Owns which routes move, and which health a judgement of them needs. Refuses to own the reading
(cutover/aws/account.py) and the rules (gate.py, evidence.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cutover.rules.evidence import Unproven
from cutover.rules.gate import shares
from cutover.rules.giver import given, givers, listener_of
from cutover.rules.move import UNPROBED, Group, Move, Policy, Probed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from cutover.rules.evidence import Evidence
    from cutover.rules.found import Found, TargetGroup
    from settings import Settings


_UNREAD = Unproven("CloudWatch was not asked")


@dataclass(frozen=True)
class Account:
    """What a stack has in AWS.

    ``health`` is by target group ARN. ``proven`` is by route what seven days of CloudWatch prove, or why they prove
    nothing. Of routes that nothing is asked about, neither was read. ``probed`` is by route and cluster what is known
    of its probes, as far as a first share rests on it.
    """

    settings: Settings
    found: Found
    health: Mapping[str, Group]
    proven: Mapping[str, Evidence | Unproven]
    probed: Mapping[tuple[str, str], Probed] = field(default_factory=dict[tuple[str, str], Probed])

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
            live=rule.weights if rule else given(givers(self.settings, self.found, route)) or None,
            wanted=wanted,
            groups={**self.health, **(unseen or {})},
            unknown=unknown,
            starts=rule is None,
            first=not self._serves(self.settings.load_balancer_of(route)),
            evidence=None if isinstance(proven, Unproven) else proven,
            unproven=str(proven) if isinstance(proven, Unproven) else "",
            capacity=self.settings.routes[route].capacity,
            probed=self._probed(route, unseen or {}),
        )

    def _probed(self, route: str, unseen: Mapping[str, Group]) -> dict[str, Probed]:
        """Return what is known of a route's probes by target group ARN, of those too that were made since."""
        if not self.settings.routes[route].probes:
            return {}
        known = {arn: group.cluster for arn, group in self.found.groups.items() if group.route == route}
        known |= {arn: group.cluster for arn, group in unseen.items()}
        return {arn: self.probed.get((route, cluster), UNPROBED) for arn, cluster in known.items()}

    @property
    def policy(self) -> Policy:
        """What the stack file calls enough."""
        return Policy(self.settings.gate.min_healthy, self.settings.gate.headroom)

    def _serves(self, balancer: str) -> bool:
        """Tell whether a weighted rule on the load balancer sends requests to a target that is healthy, or may be.

        One that somebody made answer them otherwise, such as with a maintenance page, answers somebody. So does that of
        a route which the file has no more: it counts wherever it may stand. On a listener of others theirs serve.
        """
        if not self.settings.load_balancers[balancer].own:
            return True
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


def moves(found: Found, settings: Settings, route: str) -> bool:
    """Tell whether a route is to have other weights than it has."""
    if not settings.routes[route].live:
        return False
    rule, wanted = found.rules.get(route), settings.weights_of(route)
    if rule is None:
        return True
    named = {found.groups[arn].cluster if arn in found.groups else arn: of for arn, of in rule.weights.items()}
    return shares(named) != shares(wanted)


def firsts(found: Found, settings: Settings, route: str) -> list[str]:
    """Return the clusters that would get a share of a route with probes, and have a target group there and no share."""
    if not settings.routes[route].probes:
        return []
    rule, wanted = found.rules.get(route), settings.weights_of(route)
    groups = {cluster: found.group_of(route, cluster) for cluster, weight in wanted.items() if weight}
    return [cluster for cluster, arn in groups.items() if arn and not (rule and rule.weights.get(arn))]


def taken_from(found: Found, settings: Settings, route: str) -> list[TargetGroup]:
    """Return the target groups, somebody else's, that a route without a weighted rule would take requests from."""
    if route in found.rules:
        return []
    weights = given(givers(settings, found, route))
    return [found.strangers[arn] for arn, weight in weights.items() if weight and arn in found.strangers]


def carriers(found: Found, settings: Settings, route: str) -> dict[str, str]:
    """Return the load balancer of each target group that carries a route, or from which it would take, all by ARN."""
    listener = listener_of(settings, found, route)
    theirs = [group.arn for group in taken_from(found, settings, route)]
    return found.behind(route) | (dict.fromkeys(theirs, listener.load_balancer) if listener else {})


def counts(found: Found, settings: Settings, routes: Collection[str], arn: str) -> bool:
    """Tell whether a judgement on routes needs the health of a group: it has a share in one, before or after."""
    group = found.groups[arn]
    rule = found.rules.get(group.route)
    serves = bool(rule and rule.weights.get(arn))
    if group.route in routes and (serves or settings.weights_of(group.route).get(group.cluster)):
        return True
    # Where a route is to have its first rule, it counts whether others on the load balancer serve already.
    firsts = {settings.load_balancer_of(name) for name in routes if name not in found.rules}
    return serves and group.route in settings.routes and settings.load_balancer_of(group.route) in firsts
