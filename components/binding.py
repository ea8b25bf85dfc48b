"""A binding: the TargetGroupBinding that lets a cluster's controller register targets in its own target group.

Owns the object's shape, which must never be replaced while it is live: that would deregister every target. Refuses to
judge by its status whether anything is registered; only DescribeTargetHealth tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_kubernetes as k8s
from pulumi import ResourceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from settings.bindings import BindingApi
    from settings.routes import Service


_IMMUTABLE = ("targetGroupARN", "targetType", "ipAddressType", "vpcID")


@dataclass(frozen=True, kw_only=True)
class BindingArgs:
    """A Service and a target group of one cluster.

    ``registers_as`` names the role in which the controller registers, where it needs one. ``after`` are the preview
    rule, which attaches the group so that it is health-checked, the controller, whose webhook takes the object, and the
    namespace where the stack makes it.
    """

    route: str
    api: BindingApi
    service: Service
    target_type: str
    protocol: str
    target_group_arn: pulumi.Input[str]
    vpc_id: pulumi.Input[str]
    registers_as: Mapping[str, str]
    after: Sequence[pulumi.Resource]
    deleted_with: pulumi.Resource | None


class Binding(pulumi.ComponentResource):
    """A TargetGroupBinding named after its route."""

    def __init__(self, name: str, args: BindingArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:binding:Binding", name, None, opts)
        k8s.apiextensions.CustomResource(
            name,
            api_version=args.api.version,
            kind="TargetGroupBinding",
            metadata=k8s.meta.v1.ObjectMetaArgs(name=args.route, namespace=args.service.namespace),
            # The webhook fills in on creation only what is left out; a later apply without it would be refused.
            spec=args.api.spec(
                {"name": args.service.name, "port": args.service.port},
                targetGroupARN=args.target_group_arn,
                targetType=args.target_type,
                targetGroupProtocol=args.protocol,
                ipAddressType="ipv4",
                vpcID=args.vpc_id,
                **args.registers_as,
            ),
            # The webhook refuses a change of these. A replacement empties the group, so it may happen where nothing is
            # served only: the caller protects a binding that serves.
            opts=ResourceOptions(
                parent=self,
                depends_on=args.after,
                deleted_with=args.deleted_with,
                replace_on_changes=[f"spec.{field}" for field in _IMMUTABLE],
                delete_before_replace=True,
            ),
        )
        self.register_outputs({})
