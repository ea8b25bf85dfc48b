"""The emulated attachment of a managed policy to a role. Refuses to own either."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.iam.standing import GONE, attached, find_role
from rehearsal.plugins.aws.table import REQUIRED_REPLACES, Type

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _create(aws: Aws, inputs: Props) -> str:
    aws.ask("iam", "attach_role_policy", RoleName=inputs["role"], PolicyArn=inputs["policyArn"])
    return f"{inputs['role']}/{inputs['policyArn']}"


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    role, arn = made.split("/", 1)
    if find_role(aws, role) is None or arn not in attached(aws, role):
        return None
    return known


def _delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    role, arn = made.split("/", 1)
    aws.found(GONE, "iam", "detach_role_policy", RoleName=role, PolicyArn=arn)


TYPE = Type(
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "IAM Role Policy Attachment",
    {"policyArn": REQUIRED_REPLACES, "role": REQUIRED_REPLACES},
    create=_create,
    read=_read,
    delete=_delete,
    delete_first=True,
    regional=False,
)
