"""`eks:index:ServiceRole`. Refuses to own the policy that it attaches."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from rehearsal.plugins.eks.inputs import compact

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLUSTER_POLICY = "AmazonEKSClusterPolicy"


class ServiceRole(pulumi.ComponentResource):
    """`eks:index:ServiceRole`: the role that the EKS service takes, with its managed policy."""

    def __init__(self, name: str, tags: Mapping[str, str] | None, options: pulumi.ResourceOptions) -> None:
        super().__init__("eks:index:ServiceRole", name, None, options)
        child = pulumi.ResourceOptions(parent=self)
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": ["sts:AssumeRole", "sts:TagSession"],
                    "Effect": "Allow",
                    "Principal": {"Service": ["eks.amazonaws.com"]},
                }
            ],
        }
        self.role = aws.iam.Role(
            f"{name}-role",
            assume_role_policy=compact(trust),
            description="Allows EKS to manage clusters on your behalf.",
            tags=tags,
            opts=child,
        )
        partition = aws.get_partition_output(opts=pulumi.InvokeOptions(parent=self)).partition
        digits = hashlib.sha1(f"arn:aws:iam::aws:policy/{_CLUSTER_POLICY}".encode(), usedforsecurity=False).hexdigest()
        self.attachment = aws.iam.RolePolicyAttachment(
            f"{name}-{digits[:8]}",
            policy_arn=pulumi.Output.format("arn:{0}:iam::aws:policy/{1}", partition, _CLUSTER_POLICY),
            role=self.role.name,
            opts=child,
        )
        self.register_outputs({})
