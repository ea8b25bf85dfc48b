"""What workloads need outside their cluster: roles by EKS Pod Identity, and databases that let them in.

Owns that both are there before the first pod of a new cluster starts, and go with the cluster. Refuses to own roles,
databases and workloads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from settings.workloads import Egress


@dataclass(frozen=True, kw_only=True)
class WorkloadsArgs:
    """``identities`` are role ARNs by NAMESPACE/SERVICEACCOUNT; pods have the security group ``security_group_id``."""

    cluster_name: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    identities: Mapping[str, str]
    egress: Sequence[Egress]


class Workloads(pulumi.ComponentResource):
    """Roles of a cluster's pods, and rules in security groups of others that let the pods in."""

    def __init__(self, name: str, args: WorkloadsArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:workloads:Workloads", name, None, opts)
        child = ResourceOptions(parent=self)
        for account, role in args.identities.items():
            namespace, service_account = account.split("/")
            aws.eks.PodIdentityAssociation(
                f"{name}-{account}",
                cluster_name=args.cluster_name,
                namespace=namespace,
                service_account=service_account,
                role_arn=role,
                opts=child,
            )
        for group, port in ((one.security_group_id, port) for one in args.egress for port in one.ports):
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-to-{group}-{port}",
                security_group_id=group,
                referenced_security_group_id=args.security_group_id,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                description=f"Pods of {name}",
                # Its like is a duplicate to EC2.
                opts=ResourceOptions(parent=self, delete_before_replace=True),
            )
        self.register_outputs({})
