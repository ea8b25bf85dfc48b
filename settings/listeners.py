"""`loadBalancers.NAME.existing`: a listener that somebody else made, on which the stack has rules and nothing else.

Refuses to own what stands there already (cutover/rules/listener.py), and load balancers of the stack's own
(load_balancers.py).
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated, Any

from pydantic import Field, Tag

from settings.kinds import WITH, WITHOUT, told_by
from settings.load_balancers import LoadBalancer, RuleQuota
from settings.priorities import MAX_PLACE, PLACES_PER_ROUTE, Places
from settings.values import Model, Port, edited, rule, text, whole

AnyLoadBalancerName = Annotated[
    str,
    rule(
        "CUT180",
        text(r"(?!internal-)[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?"),
        "a load balancer's name in ELB is at most 32 letters, digits and hyphens. ELB would find none. Take one from "
        "`aws elbv2 describe-load-balancers`",
    ),
]

ListenerArn = Annotated[
    str,
    rule(
        "CUT181",
        text(
            r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener/app/[A-Za-z0-9-]+/[0-9a-f]+/[0-9a-f]+"
        ),
        "this is no ARN of a listener of an Application Load Balancer. ELB would find none. Take one from "
        "`aws elbv2 describe-listeners --load-balancer-arn ...`, or write {name, port}",
    ),
]

Place = Annotated[
    int,
    rule(
        "CUT182",
        whole(1, MAX_PLACE),
        f"a place on a listener is a whole number from 1 to {MAX_PLACE}. ELB has no other. Write e.g. 100",
    ),
]


class NamedListener(Model):
    """A listener by its load balancer's name and its port."""

    name: AnyLoadBalancerName = Field(description="the load balancer's name in ELB")
    port: Port = Field(description="the listener's port")


class ArnOfListener(Model):
    """A listener by its ARN."""

    listener_arn: ListenerArn = Field(description="the listener's ARN")

    @property
    def name(self) -> str:
        """The load balancer's name in ELB."""
        return self.listener_arn.split("/")[2]


Listener = Annotated[
    Annotated[NamedListener, Tag(WITHOUT)] | Annotated[ArnOfListener, Tag(WITH)], told_by("listenerArn")
]


class RulePriorities(Model):
    """Where the stack's rules lie on a listener: nobody else's may lie there."""

    min: Place = Field(description="the first place")
    max: Place = Field(description="the last place")


class ExistingLoadBalancer(Model):
    """A listener that somebody else made and goes on owning. The stack has rules and target groups there, no more."""

    existing: Listener = Field(
        description="the listener: {name, port}, or {listenerArn}",
        json_schema_extra=edited("replaces the rules of its routes, which is refused while they are live"),
    )
    rule_priorities: RulePriorities = Field(
        description=f"where the stack's rules lie, {PLACES_PER_ROUTE} places a route, before the rules that answer "
        "today: {min, max}",
        json_schema_extra=edited("moves the rules in place"),
    )
    rule_quota: RuleQuota = Field(
        default=100, description="the account's quota of rules per load balancer, everybody's counted"
    )

    @property
    def own(self) -> bool:
        """Whether the stack makes it."""
        return False

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the stack makes for it: none."""
        return ()

    @property
    def https(self) -> bool:
        """Whether it may speak TLS, which its file does not tell."""
        return True

    @property
    def places(self) -> Places:
        """Where its rules lie."""
        return Places(self.rule_priorities.min, self.rule_priorities.max)


AnyLoadBalancer = Annotated[
    Annotated[LoadBalancer, Tag(WITHOUT)] | Annotated[ExistingLoadBalancer, Tag(WITH)], told_by("existing")
]


def elsewhere(load_balancers: Any) -> tuple[str, ...]:
    """Return the names in ELB of load balancers made elsewhere, as far as ``loadBalancers`` of a stack file tells."""
    named: list[str] = []
    for one in load_balancers.values() if isinstance(load_balancers, dict) else ():
        with suppress(ValueError, AttributeError):
            named.append(ExistingLoadBalancer.model_validate_json(json.dumps(one)).existing.name)
    return tuple(named)
