"""How a cluster is reached, whoever made it: its targets by load balancers, its API by the stack.

Owns the security group rules and the provider that clusters of both kinds have alike. Refuses to know which security
group its targets have, and whence its kubeconfig comes (cluster.py, existing_cluster.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pulumi import ResourceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Longer than the 10 s that an API server gives a webhook, whose failure it then tells. Alone, the client waits 30 s.
_CLIENT_SECONDS = 12


@dataclass(frozen=True, kw_only=True)
class LoadBalancerAccess:
    """A load balancer's security group, and the (first, last) port ranges on which it reaches targets.

    ``ports`` says of each range whether requests go through it now. Where there are ``cidrs``, the load balancer is let
    in by these and not by its group, which counts in its own VPC alone.
    """

    security_group_id: pulumi.Input[str]
    ports: Mapping[tuple[int, int], bool]
    cidrs: Sequence[str] = ()


def let_in(
    parent: pulumi.Resource,
    name: str,
    group_id: pulumi.Input[str],
    load_balancers: Mapping[str, LoadBalancerAccess],
) -> None:
    """Let load balancers into a security group of a cluster's targets."""
    for balancer, access in load_balancers.items():
        for ((first, last), served), cidr in product(access.ports.items(), access.cidrs or [None]):
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-from-{balancer}-{first}-{last}{f'-{cidr}' if cidr else ''}",
                security_group_id=group_id,
                referenced_security_group_id=None if cidr else access.security_group_id,
                cidr_ipv4=cidr,
                ip_protocol="tcp",
                from_port=first,
                to_port=last,
                # Beside one of another provider, which a role that is named later is, its like is a duplicate to EC2.
                opts=ResourceOptions(parent=parent, protect=served, delete_before_replace=True),
            )


def kubernetes(name: str, kubeconfig: pulumi.Input[str], eks_name: str, opts: ResourceOptions) -> k8s.Provider:
    """Declare the provider of what stands inside a cluster."""
    return k8s.Provider(
        name,
        kubeconfig=kubeconfig,
        # Without it, a changed endpoint or certificate would replace the provider and all objects with it.
        cluster_identifier=eks_name,
        # One unreachable cluster must not stop a shift away from it.
        skip_update_unreachable=True,
        # A field that somebody has edited would stop every update of its object; rules/edits.py tells of it.
        enable_patch_force=True,
        kube_client_settings={"timeout": _CLIENT_SECONDS},
        opts=opts,
    )
