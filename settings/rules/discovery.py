"""What is wrong between Cloud Map, the mesh and the clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.rules.mistake import Mistake, alike, as_far_as_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.models import Settings

MAX_ATTRIBUTES = 30  # custom attributes of one Cloud Map instance
CONTROLLER_ATTRIBUTES = 6  # which the App Mesh controller adds: pod, namespace, mesh, virtual node, region and zone


@as_far_as_known
def discovery_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield names of load balancers that the namespace in Cloud Map would hide."""
    if settings.service_discovery is None:
        return
    namespace = settings.service_discovery.namespace
    for key, balancer in settings.own_load_balancers.items():
        for name in (name for name in balancer.names if f".{name}".endswith(f".{namespace}")):
            yield Mistake(
                "CUT238",
                "serviceDiscovery.namespace",
                f"{name}, a name of load balancer {key}, lies in {namespace}. Inside the VPC the namespace is a zone "
                f"of its own, in which nobody would find that name. Choose another, such as svc.{namespace}",
            )


@as_far_as_known
def mesh_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield what the mesh and its virtual nodes lack, or have too much of."""
    where = "serviceDiscovery"
    discovery = settings.service_discovery
    services, attributes = (discovery.services, discovery.attributes) if discovery else ({}, {})
    if settings.mesh.kind == "none":
        unread = [f"{where}.services.{name}.virtualNode" for name, s in services.items() if s.virtual_node]
        for key in [*unread, *([f"{where}.attributes"] if attributes else [])]:
            yield Mistake(
                "CUT245",
                key,
                "there is no mesh, and nothing else reads this. What it says would be ignored without a word. "
                "Leave it out, or set mesh.kind to appMesh",
            )
        return
    nodes = settings.virtual_nodes()
    if not nodes:
        yield Mistake(
            "CUT246",
            f"{where}.services",
            "mesh.kind is appMesh, but no service has a virtualNode. The mesh would be empty, and pods in it "
            "refused. Describe the pods of a service, or set mesh.kind to none",
        )
    meshes = {key: settings.mesh_name(key) for key in settings.own_clusters}
    for key, first in alike(meshes):
        yield Mistake(
            "CUT247",
            f"clusters.{key}.meshName",
            f"{meshes[key]} is also the mesh of {first}. Both clusters' controllers would write one mesh, and deleting "
            "one cluster would delete what the other uses. Give each cluster a mesh name of its own",
        )
    if "ver" in attributes:
        yield Mistake(
            "CUT248",
            f"{where}.attributes.ver",
            "doubled: the program sets ver to the cluster's key. Clients that ask for one cluster would get both. "
            "Choose another key",
        )
    own = settings.attributes(next(iter(settings.clusters)))
    for name, node in nodes.items():
        count = len({*own, *node.pod_labels}) + CONTROLLER_ATTRIBUTES
        if count > MAX_ATTRIBUTES:
            yield Mistake(
                "CUT249",
                f"{where}.attributes",
                f"a pod of {name} would have {count} attributes ({len(own)} with ver and env, its labels, and "
                f"{CONTROLLER_ATTRIBUTES} of the controller), and Cloud Map takes {MAX_ATTRIBUTES}. It would refuse "
                "the pod, and clients would not find it. Leave some out",
            )
