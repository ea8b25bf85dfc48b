"""`podIdentities` and `allowEgressTo`: what workloads need outside their cluster, the same in every one of the stack's.

Refuses to own workloads themselves, and clusters of others, whose makers give them both.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.network import SecurityGroupId
from settings.values import DNS_LABEL, Model, Port, Several, edited, rule, text

ServiceAccount = Annotated[
    str,
    rule(
        "CUT186",
        text(rf"{DNS_LABEL}/(?=.{{1,253}}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?"),
        "a ServiceAccount here is NAMESPACE/NAME, in lower case. EKS would associate a role with nobody. Write e.g. "
        "shop/checkout",
    ),
]


class Egress(Model):
    """A security group that somebody else owns, and that must let the pods of every cluster in."""

    security_group_id: SecurityGroupId = Field(
        description="the security group, of a database or a cache",
        json_schema_extra=edited("replaces its rules, the old ones first"),
    )
    ports: Several[Port] = Field(min_length=1, description="the TCP ports")
