"""Managed policies of a role. Refuses to judge what a policy allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rehearsal.cloud.session import Aws

GONE = ("NoSuchEntity",)


def attached(aws: Aws, role: str) -> list[str]:
    """Return the ARNs of the managed policies of a role."""
    answer = aws.ask("iam", "list_attached_role_policies", RoleName=role)
    return [policy["PolicyArn"] for policy in answer["AttachedPolicies"]]
