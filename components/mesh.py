"""The App Mesh mesh of one cluster: a mesh of its own name, and a virtual node and service per Cloud Map service.

Owns what keeps the clusters apart: the mesh's name, and attributes on every virtual node from its creation. Refuses to
own Cloud Map, which is shared (service_discovery.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi import ResourceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from settings.discovery import VirtualNode

_API = "appmesh.k8s.aws/v1beta2"


@dataclass(frozen=True, kw_only=True)
class ClusterMeshArgs:
    """``nodes`` are by Cloud Map service; ``after`` are the controller, the namespaces and the Cloud Map services."""

    mesh_name: str
    cloud_map_namespace: str
    nodes: Mapping[str, VirtualNode]
    attributes: Mapping[str, str]
    after: Sequence[pulumi.Resource]


class ClusterMesh(pulumi.ComponentResource):
    """A cluster's mesh.

    Unlike everything else in the cluster its objects are not dropped with it: the controller must take the mesh out of
    AWS first. Where the cluster's API is dead, retire it with PULUMI_K8S_DELETE_UNREACHABLE=true.
    """

    def __init__(self, name: str, args: ClusterMeshArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:mesh:ClusterMesh", name, None, opts)
        mesh = k8s.apiextensions.CustomResource(
            f"{name}-mesh",
            api_version=_API,
            kind="Mesh",
            metadata=k8s.meta.v1.ObjectMetaArgs(name=args.mesh_name),
            spec={"awsName": args.mesh_name, "namespaceSelector": {"matchLabels": {"mesh": args.mesh_name}}},
            opts=ResourceOptions(parent=self, depends_on=args.after),
        )
        for service, node in args.nodes.items():
            metadata = k8s.meta.v1.ObjectMetaArgs(name=service, namespace=node.namespace)
            virtual_node = k8s.apiextensions.CustomResource(
                f"{name}-{service}",
                api_version=_API,
                kind="VirtualNode",
                metadata=metadata,
                spec=_virtual_node(service, node, args),
                # The controller's webhook refuses a change of these fields, and a new node beside the old one would
                # adopt it in AWS and then lose it: delete first.
                opts=ResourceOptions(
                    parent=self,
                    depends_on=[mesh],
                    replace_on_changes=["spec.serviceDiscovery"],
                    delete_before_replace=True,
                ),
            )
            k8s.apiextensions.CustomResource(
                f"{name}-{service}-service",
                api_version=_API,
                kind="VirtualService",
                metadata=metadata,
                spec={
                    "awsName": f"{service}.{args.cloud_map_namespace}",
                    "provider": {"virtualNode": {"virtualNodeRef": {"name": service}}},
                },
                opts=ResourceOptions(parent=self, depends_on=[virtual_node]),
            )
        self.register_outputs({})


def _virtual_node(service: str, node: VirtualNode, args: ClusterMeshArgs) -> dict[str, Any]:
    return {
        "awsName": f"{service}_{node.namespace}",
        "podSelector": {"matchLabels": node.pod_labels},
        "listeners": [{"portMapping": {"port": node.port, "protocol": node.protocol}}],
        "serviceDiscovery": {
            "awsCloudMap": {
                "namespaceName": args.cloud_map_namespace,
                "serviceName": service,
                "attributes": [{"key": key, "value": value} for key, value in sorted(args.attributes.items())],
            }
        },
    }
