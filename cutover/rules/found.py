"""What a stack has in AWS, as it was found by its tags: weighted rules, target groups, and the hold.

Pure. Refuses to own how it is found (cutover/aws/live.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cutover.rules.listener import Listener
    from cutover.rules.move import Group, Hold


@dataclass(frozen=True)
class WeightedRule:
    """A route's weighted rule: its load balancer, and the weight of every target group by ARN.

    ``instead`` is what the rule does where somebody has made it forward to nothing: "fixed-response 503".
    """

    arn: str
    load_balancer: str
    weights: Mapping[str, int]
    instead: str = ""


@dataclass(frozen=True)
class TargetGroup:
    """A route's and cluster's target group. ``checked`` is whether its health checks are on."""

    arn: str
    route: str
    cluster: str
    checked: bool


@dataclass(frozen=True)
class Found:
    """What a stack has in AWS: weighted rules by route, target groups by ARN, and the hold, if there is one.

    ``listeners`` are those that others made and on which it has rules, ``strangers`` the target groups behind them that
    are not its own, by ARN, each under its own name in place of a cluster's.
    """

    rules: Mapping[str, WeightedRule]
    groups: Mapping[str, TargetGroup]
    hold: Hold | None
    listeners: Sequence[Listener] = ()
    strangers: Mapping[str, TargetGroup] = field(default_factory=dict[str, TargetGroup])
    doubts: tuple[str, ...] = ()  # what is marked as if it were the stack's, and is another's, or may be

    def group_of(self, route: str, cluster: str) -> str | None:
        """Return the ARN of a route's target group in a cluster, or None.

        While one is replaced there are two, and the one in the weighted rule is meant.
        """
        found = [group.arn for group in self.groups.values() if (group.route, group.cluster) == (route, cluster)]
        ruled = self.rules[route].weights if route in self.rules else {}
        return next((arn for arn in found if arn in ruled), next(iter(found), None))

    def behind(self, route: str) -> dict[str, str]:
        """Return the load balancer of each target group of a route, by ARN; nothing where it has no weighted rule."""
        rule = self.rules.get(route)
        own = [arn for arn, group in self.groups.items() if group.route == route]
        return dict.fromkeys(own, rule.load_balancer) if rule else {}

    @property
    def sharing(self) -> list[TargetGroup]:
        """The stack's target groups that have a weight above 0 in the rule of their route."""
        return [
            self.groups[arn]
            for rule in self.rules.values()
            for arn, weight in rule.weights.items()
            if weight > 0 and arn in self.groups
        ]

    def emptied(self, health: Mapping[str, Group]) -> dict[str, list[str]]:
        """Return by route the clusters that have a share and not one target, to which every request is a 503.

        Whose health could not be read is not known to be one.
        """
        found: dict[str, list[str]] = {}
        for group in self.sharing:
            seen = health.get(group.arn)
            if seen and not seen.registered and not seen.unreadable:
                found.setdefault(group.route, []).append(group.cluster)
        return found

    @property
    def instead(self) -> list[str]:
        """Say of every rule that forwards to nothing what it does, and by which route."""
        return [f"{route} ({rule.instead})" for route, rule in sorted(self.rules.items()) if rule.instead]

    @property
    def serving(self) -> set[str]:
        """The clusters that get requests: those with a weight above 0 in a weighted rule."""
        return {group.cluster for group in self.sharing}
