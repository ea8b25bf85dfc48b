"""What the ELB API tells at one moment: load balancers, their listeners with rules, and target groups.

Owns the reading. Refuses to own what a rule means (alb.py) and when a change of it counts (process.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rehearsal.world import alb

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Listener:
    """A listener and its rules, in the order in which they are asked."""

    arn: str
    port: int
    protocol: str
    rules: tuple[alb.Rule, ...]


@dataclass(frozen=True)
class LoadBalancer:
    """An application load balancer with its listeners."""

    arn: str
    dns_name: str
    listeners: tuple[Listener, ...]


@dataclass(frozen=True)
class RoutingTable:
    """Load balancers, and target groups by ARN."""

    balancers: tuple[LoadBalancer, ...] = ()
    groups: Mapping[str, alb.TargetGroup] = field(default_factory=dict[str, alb.TargetGroup])

    def attached(self) -> dict[str, str]:
        """Return load balancer ARNs by target group ARN, for every group that a rule names, be it with weight 0."""
        return {
            group: balancer.arn
            for balancer in self.balancers
            for listener in balancer.listeners
            for rule in listener.rules
            if isinstance(rule.action, alb.Forward)
            for group, _ in rule.action.groups
            if group in self.groups
        }


def read(elbv2: Any) -> RoutingTable:
    """Read everything with a boto3 client. Raises botocore's ClientError when something goes while it is read."""
    groups = (alb.target_group(group) for group in _all(elbv2, "describe_target_groups", "TargetGroups"))
    return RoutingTable(
        tuple(
            LoadBalancer(
                balancer["LoadBalancerArn"], balancer["DNSName"], _listeners(elbv2, balancer["LoadBalancerArn"])
            )
            for balancer in _all(elbv2, "describe_load_balancers", "LoadBalancers")
            if balancer["Type"] == "application"
        ),
        {group.arn: group for group in groups},
    )


def _listeners(elbv2: Any, balancer: str) -> tuple[Listener, ...]:
    return tuple(
        Listener(
            listener["ListenerArn"],
            listener["Port"],
            listener["Protocol"],
            alb.rules(_all(elbv2, "describe_rules", "Rules", ListenerArn=listener["ListenerArn"])),
        )
        for listener in _all(elbv2, "describe_listeners", "Listeners", LoadBalancerArn=balancer)
    )


def _all(elbv2: Any, operation: str, name: str, **asked: str) -> list[Any]:
    return [one for page in elbv2.get_paginator(operation).paginate(**asked) for one in page[name]]
