"""One reading of AWS, and the moves that can be judged on it: what is live beside what a stack file wants.

Owns which health and which history a judgement needs. Refuses to own the reads (live.py) and the rule (gate.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutover.gate import Group, Move, Policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cutover.live import Found, Live
    from settings import Settings


@dataclass(frozen=True)
class Account:
    """What a stack has in AWS: ``health`` by target group ARN, ``peaks`` by route (see `Live.peak`)."""

    settings: Settings
    found: Found
    health: Mapping[str, Group]
    peaks: Mapping[str, int | None]

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
        rule = self.found.rules.get(route)
        return Move(
            route=route,
            live=rule.weights if rule else None,
            wanted=wanted,
            groups={**self.health, **(unseen or {})},
            unknown=unknown,
            first=not self._serves(self.settings.load_balancer_of(route)),
            peak=self.peaks.get(route),
            capacity=self.settings.routes[route].capacity,
        )

    @property
    def policy(self) -> Policy:
        """What the stack file calls enough."""
        return Policy(self.settings.gate.min_healthy, self.settings.gate.headroom)

    def _serves(self, balancer: str) -> bool:
        """Tell whether a weighted rule on the load balancer sends requests to a target that is healthy, or may be."""
        return any(
            weight > 0 and (arn not in self.health or self.health[arn].unreadable or self.health[arn].units > 0)
            for name, rule in self.found.rules.items()
            if name in self.settings.routes and self.settings.load_balancer_of(name) == balancer
            for arn, weight in rule.weights.items()
        )


def read(aws: Live, settings: Settings, *, everything: bool = False) -> Account:
    """Read what a judgement needs: the health of groups with a share before or after, or of ``everything``.

    :raises LiveError: AWS could not be read
    """
    found = aws.find()
    wanted = {
        group.arn
        for group in found.groups.values()
        if group.route in settings.routes and settings.weights_of(group.route).get(group.cluster, 0) > 0
    }
    serving = {arn for rule in found.rules.values() for arn, weight in rule.weights.items() if weight > 0}
    asked = [group for arn, group in found.groups.items() if everything or arn in wanted | serving]
    measured = {
        route: rule
        for route, rule in found.rules.items()
        if route in settings.routes and settings.routes[route].capacity is None
    }
    return Account(settings, found, aws.health(asked), aws.peaks(measured))
