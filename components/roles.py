"""The roles that a stack makes, or is given: who takes one, and what an organization asks of each.

Refuses to own rights.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi_aws as aws

if TYPE_CHECKING:
    from pulumi import ResourceOptions

    from settings.iam import Iam

_DOMAINS = {"aws-cn": "amazonaws.com.cn"}  # in which EC2 is a principal, where that is another


def _trust(service: str, *actions: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}}
    statement["Action"] = actions[0] if len(actions) == 1 else list(actions)  # pyright: ignore[reportArgumentType]
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


POD_IDENTITY = _trust("pods.eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession")
"""Pods, by EKS Pod Identity."""


def nodes(partition: str) -> str:
    """Return the trust of nodes, which are EC2's, in a partition of AWS."""
    return _trust(f"ec2.{_DOMAINS.get(partition, 'amazonaws.com')}", "sts:AssumeRole")


def given(name: str, arn: str | None, opts: ResourceOptions) -> aws.iam.Role | None:
    """Return a role that others made, as AWS has it, for a component that takes no ARN; None where none is given."""
    return aws.iam.Role.get(name, arn.rsplit("/", 1)[-1], opts) if arn else None


def role(name: str, trust: str, iam: Iam, opts: ResourceOptions) -> aws.iam.Role:
    """Declare a role that a stack makes."""
    return aws.iam.Role(
        name, assume_role_policy=trust, path=iam.path, permissions_boundary=iam.permissions_boundary, opts=opts
    )
