"""The Kubernetes namespaces of a cluster in which routes and the mesh find their workloads.

Owns their labels. Refuses to own what runs inside, and therefore never deletes a namespace but with its cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_kubernetes as k8s
from pulumi import ErrorHook, ResourceHookBinding, ResourceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi import ErrorHookArgs


@dataclass(frozen=True, kw_only=True)
class NamespacesArgs:
    """``meshed`` has every namespace to make, and whether its pods are in the mesh named ``mesh_name``."""

    meshed: Mapping[str, bool]
    mesh_name: str
    deleted_with: pulumi.Resource


class Namespaces(pulumi.ComponentResource):
    """Namespaces by name, labelled so that pods become ready only when the load balancer finds them healthy."""

    made: dict[str, k8s.core.v1.Namespace]

    def __init__(self, name: str, args: NamespacesArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:namespaces:Namespaces", name, None, opts)
        explained = ResourceHookBinding(on_error=[ErrorHook(f"eks-cutover-namespace-{name}", explain)])
        self.made = {
            namespace: k8s.core.v1.Namespace(
                f"{name}-{namespace}",
                metadata=k8s.meta.v1.ObjectMetaArgs(name=namespace, labels=_labels(args.mesh_name if meshed else None)),
                # Workloads in it are not the stack's: when the last route leaves, the namespace stays.
                opts=ResourceOptions(
                    parent=self, retain_on_delete=True, deleted_with=args.deleted_with, hooks=explained
                ),
            )
            for namespace, meshed in args.meshed.items()
        }
        self.register_outputs({})


def explain(args: ErrorHookArgs) -> bool:
    """Say what to do about a namespace that is there already; it is not tried again."""
    if args.failed_operation == "create" and any("already exists" in error for error in args.errors):
        namespace = (args.new_inputs or {})["metadata"]["name"]
        pulumi.log.error(
            f"The namespace {namespace} is in the cluster already, and the stack takes over none that it has not made. "
            f"Write existingNamespaces: [{namespace}], give it the label elbv2.k8s.aws/pod-readiness-gate-inject: "
            "enabled, and run the same again."
        )
    return False


def _labels(mesh_name: str | None) -> dict[str, str]:
    labels = {"elbv2.k8s.aws/pod-readiness-gate-inject": "enabled"}
    if mesh_name:
        labels |= {"mesh": mesh_name, "appmesh.k8s.aws/sidecarInjectorWebhook": "enabled"}
    return labels
