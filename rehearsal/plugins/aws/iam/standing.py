"""What stands in the account: a role, and its managed policies. Refuses to judge what a policy allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.calls import find

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

GONE = ("NoSuchEntity",)


def find_role(aws: Aws, role: str) -> Props | None:
    """Return a role by its name or its ARN, or None when it is gone."""
    return find(aws, GONE, "iam", "get_role", "Role", RoleName=role.rsplit("/", 1)[-1])


def attached(aws: Aws, role: str) -> list[str]:
    """Return the ARNs of the managed policies of a role."""
    answer = aws.ask("iam", "list_attached_role_policies", RoleName=role)
    return [policy["PolicyArn"] for policy in answer["AttachedPolicies"]]
