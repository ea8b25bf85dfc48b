"""`iam`: what an organization asks of every role that a stack makes, and roles that others make in their place.

What each key takes. Refuses to own the roles (components/) and what they may do.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.values import Model, edited, rule, text

PolicyArn = Annotated[
    str,
    rule(
        "CUT178",
        text(r"arn:aws[a-z-]*:iam::(aws|[0-9]{12}):policy/.+"),
        "this is no ARN of a managed policy. IAM would refuse it. Take one from `aws iam list-policies`, such as "
        "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy",
    ),
]

GivenRoleArn = Annotated[
    str,
    rule(
        "CUT440",
        text(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+"),
        "this is no ARN of an IAM role, and nothing else can be taken by a cluster, its nodes or its pods. EKS would "
        "refuse it once the network is up. Write e.g. arn:aws:iam::123456789012:role/eks-nodes, not the ARN of an "
        "instance profile",
    ),
]

RolePath = Annotated[
    str,
    rule(
        "CUT179",
        text(r"(?=.{1,512}$)/([!-.0-~]+/)*"),
        "a path of roles begins and ends with /, and has at most 512 characters. IAM would refuse the first role. "
        "Write e.g. /eks/",
    ),
]


class Iam(Model):
    """What every role has that the stack makes: those of clusters, nodes, add-ons and controllers."""

    path: RolePath | None = Field(
        default=None,
        description="the path of the roles; left out: /",
        json_schema_extra=edited(
            "replaces the roles, and with them clusters and node groups, which is refused while they serve"
        ),
    )
    permissions_boundary: PolicyArn | None = Field(
        default=None, description="the managed policy beyond which none of them may do anything"
    )
