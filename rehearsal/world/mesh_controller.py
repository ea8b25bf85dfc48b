"""The emulated App Mesh controller of one cluster: meshes and virtual nodes in AWS, and their pods in Cloud Map.

From aws-app-mesh-controller-for-k8s 1.13.3. Its only way to tell what is its own is a name, and a name is the
account's: two clusters that say the same mean the same thing. Refuses to own what the webhooks refuse
(kubernetes/admission.py), workers and waits (controllers.py), and virtual services and routers, which no part of a
rehearsal reads.

Two differences: a pod has one label, ``app``, with the name of its Service; and the port in Cloud Map is the one on
which the pod listens here, not the one that its virtual node names.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.kubernetes.admission import selects
from rehearsal.cloud.kubernetes.cluster import at
from rehearsal.world.controllers import Failed, Queue, annotate, leaving, let_go, place, say
from rehearsal.world.controllers import connect as connect_to_aws

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rehearsal.cloud.kubernetes.cluster import Cluster
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.store import Store
    from rehearsal.world.controllers import Connect

MESH_ATTRIBUTE = "appmesh.k8s.aws/mesh"
NODE_ATTRIBUTE = "appmesh.k8s.aws/virtualNode"

_FINALIZERS = {
    "Mesh": ["finalizers.appmesh.k8s.aws/mesh-members", "finalizers.appmesh.k8s.aws/aws-appmesh-resources"],
    "VirtualNode": [
        "finalizers.appmesh.k8s.aws/aws-appmesh-resources",
        "finalizers.appmesh.k8s.aws/aws-cloudmap-resources",
    ],
}
_MEMBERS = ("VirtualNode", "VirtualService", "VirtualRouter")
_NOT_FOUND = ("NotFoundException", "MeshNotFound", "VirtualNodeNotFound")
_RETRIES = 3
_LONGEST_WAIT_SECONDS = 1000.0
_TTL_SECONDS = 300


def instances(node: Props, mesh: str, services: Mapping[str, Props], region: str) -> dict[str, dict[str, str]]:
    """Return what a virtual node should have in Cloud Map: the attributes of its ready pods by their address.

    ``mesh`` is the AWS name of its mesh, ``services`` the documents of the Services in its namespace by their names.
    """
    spec, namespace = node["spec"], node["metadata"]["namespace"]
    own = {one["key"]: one["value"] for one in at(spec, "serviceDiscovery", "awsCloudMap", "attributes") or []}
    return {
        endpoint["address"]: {
            **labels,
            **own,
            "AWS_INSTANCE_IPV4": endpoint["address"],
            "AWS_INSTANCE_PORT": str(endpoint["port"]),
            "k8s.io/pod": f"{service}-{endpoint['address'].replace('.', '-')}",
            "k8s.io/namespace": namespace,
            "REGION": region,
            "AVAILABILITY_ZONE": endpoint["zone"],
            MESH_ATTRIBUTE: mesh,
            NODE_ATTRIBUTE: spec["awsName"],
        }
        for service, document in services.items()
        if selects(spec.get("podSelector"), labels := {"app": service})
        for endpoint in document["endpoints"]
        if endpoint["ready"]
    }


class MeshController:
    """The controller of one cluster, whose Services are documents under ``key``."""

    def __init__(
        self,
        store: Store,
        cluster: Cluster,
        key: str,
        connect: Connect = connect_to_aws,
        queue: Queue | None = None,
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._key = key
        self._connect = connect
        self._queue = queue or Queue()
        self._started: Props = {}
        self._region = ""
        self._mesh: Any = None
        self._names: Any = None
        self._done: dict[str, str] = {}

    def step(self, release: Props) -> None:
        """Look at every mesh and virtual node once, and work on those that have changed."""
        meshes, nodes = self._cluster.all("Mesh"), self._cluster.all("VirtualNode")
        if not meshes and not nodes:
            return
        if release != self._started:
            self._start(release)
        for mesh in meshes:
            self._offer(mesh, {}, self._bring_mesh_about, self._clean_up_mesh)
        services = self._store.all("service") if nodes else {}
        for node in nodes:
            prefix = f"{self._key}|{node['metadata']['namespace']}|"
            beside = {key[len(prefix) :]: service for key, service in services.items() if key.startswith(prefix)}
            pods = instances(node, self._mesh_of(node), beside, self._region)
            self._offer(node, pods, lambda node, pods=pods: self._bring_node_about(node, pods), self._clean_up_node)

    def close(self) -> None:
        """Stop working."""
        self._queue.close()

    def _start(self, release: Props) -> None:
        self._started, self._region = release, release.get("values", {}).get("region", "")
        agent = f"appmesh.k8s.aws/v{release['version']}"
        self._mesh = self._connect("appmesh", self._region, agent, _RETRIES)
        self._names = self._connect("servicediscovery", self._region, agent, _RETRIES)
        self._done.clear()

    def _offer(
        self, manifest: Props, around: Any, bring_about: Callable[[Props], None], clean_up: Callable[[Props], None]
    ) -> None:
        name = "/".join((manifest["kind"], *place(manifest)))
        said = json.dumps([manifest["metadata"]["uid"], manifest["spec"], around], sort_keys=True)
        want = "leaving" if leaving(manifest) else hashlib.sha256(said.encode()).hexdigest()
        if self._done.get(name) == want:
            return

        def work() -> None:
            if self._done.get(name) == want:
                return
            try:
                if leaving(manifest):
                    clean_up(manifest)
                    let_go(self._cluster, manifest)
                else:
                    annotate(self._cluster, manifest, finalizers=_FINALIZERS[manifest["kind"]])
                    bring_about(manifest)
            except (Failed, ClientError, BotoCoreError) as error:
                say(self._store, self._cluster, manifest, "ReconcileError", str(error))
                raise
            self._done[name] = want

        self._queue.offer(name, want, _LONGEST_WAIT_SECONDS, work)

    def _mesh_of(self, node: Props) -> str:
        name = at(node, "spec", "meshRef", "name") or ""
        return at(self._cluster.get("Mesh", "", name), "spec", "awsName") or name

    def _bring_mesh_about(self, mesh: Props) -> None:
        name, spec = (
            mesh["spec"]["awsName"],
            {key: mesh["spec"][key] for key in ("egressFilter",) if key in mesh["spec"]},
        )
        there = _found(self._mesh.describe_mesh, meshName=name)
        if there is None:
            self._mesh.create_mesh(meshName=name, spec=spec)
        elif any(there["mesh"]["spec"].get(key) != value for key, value in spec.items()):
            self._mesh.update_mesh(meshName=name, spec=spec)

    def _clean_up_mesh(self, mesh: Props) -> None:
        members = [
            "/".join(place(member))
            for kind in _MEMBERS
            for member in self._cluster.all(kind)
            if at(member, "spec", "meshRef", "name") == mesh["metadata"]["name"]
        ]
        if members:
            raise Failed(f"pending members deletion: {', '.join(members)}")
        name = mesh["spec"]["awsName"]
        nodes = _found(self._mesh.list_virtual_nodes, meshName=name)
        if nodes and nodes["virtualNodes"]:  # moto deletes it all the same
            raise Failed(f"ResourceInUseException: mesh {name} cannot be deleted because it has virtual nodes")
        _found(self._mesh.delete_mesh, meshName=name)

    def _bring_node_about(self, node: Props, pods: dict[str, dict[str, str]]) -> None:
        mesh, name = self._mesh_of(node), node["spec"]["awsName"]
        spec = {key: node["spec"][key] for key in ("listeners", "serviceDiscovery") if key in node["spec"]}
        there = _found(self._mesh.describe_virtual_node, meshName=mesh, virtualNodeName=name)
        if there is None:
            self._mesh.create_virtual_node(meshName=mesh, virtualNodeName=name, spec=spec)
        elif any(there["virtualNode"]["spec"].get(key) != value for key, value in spec.items()):
            self._mesh.update_virtual_node(meshName=mesh, virtualNodeName=name, spec=spec)
        if discovery := at(node, "spec", "serviceDiscovery", "awsCloudMap"):
            service = self._service(discovery) or self._make_service(discovery, node["metadata"]["uid"])
            self._register(service["Id"], mesh, name, pods)

    def _clean_up_node(self, node: Props) -> None:
        mesh, name = self._mesh_of(node), node["spec"]["awsName"]
        _found(self._mesh.delete_virtual_node, meshName=mesh, virtualNodeName=name)
        discovery = at(node, "spec", "serviceDiscovery", "awsCloudMap")
        service = self._service(discovery) if discovery else None
        if service is None:
            return
        self._register(service["Id"], mesh, name, {})
        if service["CreatorRequestId"] != node["metadata"]["uid"]:
            return
        if self._names.list_instances(ServiceId=service["Id"])["Instances"]:  # moto deletes it all the same
            raise Failed(
                f"ResourceInUse: service {service['Name']} contains registered instances; delete the instances before "
                "deleting the service"
            )
        self._names.delete_service(Id=service["Id"])

    def _namespace(self, discovery: Props) -> Props | None:
        # The first of the name, as the controller takes it.
        every = self._names.list_namespaces()["Namespaces"]
        return next((one for one in every if one["Name"] == discovery["namespaceName"]), None)

    def _service(self, discovery: Props) -> Props | None:
        namespace = self._namespace(discovery)
        for one in self._names.list_services()["Services"] if namespace else ():
            if one["Name"] == discovery["serviceName"]:
                found = self._names.get_service(Id=one["Id"])["Service"]
                if namespace and found["NamespaceId"] == namespace["Id"]:
                    return found
        return None

    def _make_service(self, discovery: Props, creator: str) -> Props:
        namespace = self._namespace(discovery)
        if namespace is None:
            raise Failed(f"cloudMap namespace not found: {discovery['namespaceName']}")
        asked: dict[str, Any] = {"Name": discovery["serviceName"], "CreatorRequestId": creator}
        if namespace["Type"] == "DNS_PRIVATE":
            asked["DnsConfig"] = {"DnsRecords": [{"Type": "A", "TTL": _TTL_SECONDS}], "RoutingPolicy": "MULTIVALUE"}
        return self._names.create_service(NamespaceId=namespace["Id"], **asked)["Service"]

    def _register(self, service: str, mesh: str, node: str, pods: dict[str, dict[str, str]]) -> None:
        """Make ``pods`` the instances that have this mesh and this node, whoever registered those."""
        every = self._names.list_instances(ServiceId=service)["Instances"]
        there = {one["Id"]: one["Attributes"] for one in every}
        for address, attributes in there.items():
            mine = (attributes.get(MESH_ATTRIBUTE), attributes.get(NODE_ATTRIBUTE)) == (mesh, node)
            if (mine and address not in pods) or (address in pods and attributes != pods[address]):
                self._names.deregister_instance(ServiceId=service, InstanceId=address)
        for address, attributes in pods.items():
            if there.get(address) != attributes:
                self._names.register_instance(ServiceId=service, InstanceId=address, Attributes=attributes)


def _found(ask: Callable[..., Any], **parameters: Any) -> Any:
    """Return an answer of AWS, or None when what it is about is not there."""
    try:
        return ask(**parameters)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _NOT_FOUND:
            return None
        raise
