"""`import`: what others made and the stack takes over as it stands, by the names that a preview shows.

Owns what an id says of its kind, and which names the stack has for each kind. Refuses to own whether what stands there
is what the stack would make (cutover/engine/import_hooks.py), and how its former owner lets go
(cutover/rules/imports.py).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from settings.values import Model, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.models import Settings

_ELB = r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}"

LOAD_BALANCER = "aws:lb/loadBalancer:LoadBalancer"
LISTENER = "aws:lb/listener:Listener"
LISTENER_RULE = "aws:lb/listenerRule:ListenerRule"
TARGET_GROUP = "aws:lb/targetGroup:TargetGroup"
SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
RECORD = "aws:route53/record:Record"

_IDS = {
    rf"{_ELB}:loadbalancer/app/[^/]+/[0-9a-f]+": (LOAD_BALANCER,),
    rf"{_ELB}:listener/app/[^/]+/[0-9a-f]+/[0-9a-f]+": (LISTENER,),
    rf"{_ELB}:listener-rule/app/[^/]+/[0-9a-f]+/[0-9a-f]+/[0-9a-f]+": (LISTENER_RULE,),
    rf"{_ELB}:targetgroup/[^/]+/[0-9a-f]+": (TARGET_GROUP,),
    r"sg-[0-9a-f]+": (SECURITY_GROUP,),
    r"sgr-[0-9a-f]+": (INGRESS_RULE, EGRESS_RULE),
    r"[0-9A-Z]+_[a-z0-9.*_-]+_A": (RECORD,),
}


def kinds_of(identity: str) -> tuple[str, ...]:
    """Return the types of resource that an id can be of, which is one but for rules of a security group."""
    return next((kinds for form, kinds in _IDS.items() if re.fullmatch(form, identity)), ())


Identity = Annotated[
    str,
    rule(
        "CUT284",
        lambda value: isinstance(value, str) and bool(kinds_of(value)),
        "this is no id of anything that can be imported. The engine would find nothing. Write the ARN of an "
        "Application Load Balancer, of its listener, of a rule or of a target group, the id of a security group "
        "(sg-...) or of one of its rules (sgr-...), or ZONE-ID_name_A of a record",
    ),
]


class Import(Model):
    """What others made, and the stack takes over as it is. While it stands, an update does nothing else."""

    former_owner: Literal["terraform", "cloudformation", "controller", "none"] = Field(
        description="who keeps it today, and must let go of it: its next run would take the weights back"
    )
    ids: dict[str, Identity] = Field(
        min_length=1,
        description="what is taken over: the id in AWS of what a preview would create under a name, such as "
        "`web-weighted`",
    )


def importable(settings: Settings) -> set[tuple[str, str]]:
    """Return type and name of whatever the stack declares and can take over instead of making it."""
    return {*_of_load_balancers(settings), *_of_routes(settings)}


def _of_load_balancers(settings: Settings) -> Iterator[tuple[str, str]]:
    for key, balancer in settings.own_load_balancers.items():
        yield LOAD_BALANCER, key
        yield SECURITY_GROUP, f"{key}-alb"
        yield EGRESS_RULE, f"{key}-out"
        for port in (80, 443) if balancer.https else (80,):
            yield LISTENER, f"{key}-{port}"
            yield from ((INGRESS_RULE, f"{key}-{port}-{cidr}") for cidr in settings.ingress_cidrs(key))
        yield from ((RECORD, f"{key}-{record}") for record in balancer.records)
        yield from ((RECORD, f"{key}-{record}-aaaa") for record in balancer.records if balancer.dualstack)


def _of_routes(settings: Settings) -> Iterator[tuple[str, str]]:
    for name, route in settings.routes.items():
        yield from (one for one in of_route(settings, name) if route.live or one[1] != f"{name}-weighted")


def of_route(settings: Settings, route: str) -> Iterator[tuple[str, str]]:
    """Yield type and name of the groups and rules of a route, its weighted rule too where it is not live."""
    yield LISTENER_RULE, f"{route}-weighted"
    for cluster in settings.clusters:
        yield TARGET_GROUP, f"{route}-{cluster}"
        yield LISTENER_RULE, f"{route}-{cluster}-preview"
