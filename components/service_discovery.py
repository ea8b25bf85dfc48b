"""The Cloud Map namespace and services that all clusters share.

Owns the services, so that no cluster's controller does: a controller deletes a service that it made when its cluster is
retired, under the cluster that still uses it. Refuses to own instances, which controllers register.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

_TTL_SECONDS = 10  # how long a client may go on asking an instance that has gone


@dataclass(frozen=True, kw_only=True)
class SharedNamespaceArgs:
    """A private DNS namespace in a VPC, and the names of its services."""

    namespace: str
    services: Iterable[str]
    vpc_id: pulumi.Input[str]


class SharedNamespace(pulumi.ComponentResource):
    """A Cloud Map namespace. ``services`` are by name; whatever registers in one depends on it."""

    services: dict[str, aws.servicediscovery.Service]

    def __init__(self, name: str, args: SharedNamespaceArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:service_discovery:SharedNamespace", name, None, opts)
        child = ResourceOptions(parent=self)
        namespace = aws.servicediscovery.PrivateDnsNamespace(name, name=args.namespace, vpc=args.vpc_id, opts=child)
        self.services = {
            service: aws.servicediscovery.Service(
                f"{name}-{service}",
                name=service,
                dns_config=aws.servicediscovery.ServiceDnsConfigArgs(
                    namespace_id=namespace.id,
                    routing_policy="MULTIVALUE",
                    dns_records=[aws.servicediscovery.ServiceDnsConfigDnsRecordArgs(type="A", ttl=_TTL_SECONDS)],
                ),
                # No health_check_custom_config: left empty it never reaches AWS, and the next preview would replace the
                # service; filled it is deprecated (terraform-provider-aws #44285). Instances count as healthy without.
                force_destroy=False,
                opts=child,
            )
            for service in args.services
        }
        self.register_outputs({})
