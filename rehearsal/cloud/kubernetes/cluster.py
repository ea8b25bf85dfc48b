"""What one cluster's API server knows: its objects, the kinds that it serves, the controllers that run in it.

Owns how objects are kept in the rehearsal's store, and the faults that an API server cannot be reached and that a
controller is down. Refuses to own any rule about an object, and whether the EKS cluster exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.eks_documents import CLUSTERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.store import Store

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
"""What every cluster has from the beginning."""

SERVICE = "service"
"""Documents {type, nodePort, replicas, endpoints: [{address, port, zone, node, ready}]} by ``<EKS
name>|<namespace>|<name>``: the Service of a route in the rehearsal's world, and how many pods it shall have."""

API_SERVERS = "api-servers"
"""The document {url, authority} of the empty key: where the API servers of all clusters answer, and the certificate
authority of their certificate, as base64 of PEM."""

_UNREACHABLE = "unreachable"
_DOWN = "controllers that are down"
_INSTALLED = "CustomResourceDefinitions"


@dataclass(frozen=True)
class Kind:
    """A kind of object. ``chart`` is the Helm chart that brings the kind, and whose controller admits its objects."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True
    chart: str = ""

    @property
    def resource(self) -> str:
        """The kind as errors of the API server name it: ``targetgroupbindings.elbv2.k8s.aws``."""
        group, _, version = self.api_version.rpartition("/")
        return f"{self.plural}.{group}" if version and group else self.plural


LOAD_BALANCER_CONTROLLER = "aws-load-balancer-controller"
APP_MESH_CONTROLLER = "appmesh-controller"
AUTO_MODE = "EKS Auto Mode"
"""Stands for a chart, and its release, in a cluster where AWS runs the load balancer controller."""

_APP_MESH = "appmesh.k8s.aws/v1beta2"

KINDS = {
    (kind.api_version, kind.name): kind
    for kind in (
        Kind("v1", "Namespace", "namespaces", namespaced=False),
        Kind("v1", "ServiceAccount", "serviceaccounts"),
        Kind("v1", "ConfigMap", "configmaps"),
        Kind("elbv2.k8s.aws/v1beta1", "TargetGroupBinding", "targetgroupbindings", chart=LOAD_BALANCER_CONTROLLER),
        Kind("eks.amazonaws.com/v1", "TargetGroupBinding", "targetgroupbindings", chart=AUTO_MODE),
        Kind(_APP_MESH, "Mesh", "meshes", namespaced=False, chart=APP_MESH_CONTROLLER),
        Kind(_APP_MESH, "VirtualNode", "virtualnodes", chart=APP_MESH_CONTROLLER),
        Kind(_APP_MESH, "VirtualService", "virtualservices", chart=APP_MESH_CONTROLLER),
        Kind(_APP_MESH, "VirtualRouter", "virtualrouters", chart=APP_MESH_CONTROLLER),
    )
}


class Cluster:
    """The objects of the cluster ``name``. An object is its manifest; of a Helm release, the release's properties."""

    def __init__(self, store: Store, name: str) -> None:
        self.name = name
        self._store = store
        self._place = f"kubernetes/{name}"

    @property
    def account(self) -> str:
        """The account that it is in, where that is not the rehearsal's own; else empty."""
        return (self._store.get(CLUSTERS, self.name) or {}).get("account", "")

    @property
    def vpc(self) -> str:
        """The VPC that it is in, as far as EKS tells."""
        return (self._store.get(CLUSTERS, self.name) or {}).get("vpcId", "")

    def get(self, kind: str, namespace: str, name: str) -> Props | None:
        """Return an object, or None. Namespaces that every cluster has are there without having been made."""
        found = self._store.get(self._place, _key(kind, namespace, name))
        if found is None and kind == "Namespace" and name in NAMESPACES:
            return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        return found

    def put(self, kind: str, namespace: str, name: str, document: Props) -> None:
        """Keep an object, over an older one if there is one."""
        self._store.put(self._place, _key(kind, namespace, name), document)

    def change(
        self, kind: str, namespace: str, name: str, edit: Callable[[Props | None], Props | None]
    ) -> Props | None:
        """Keep what ``edit`` makes of an object, as `Store.change` does."""
        return self._store.change(self._place, _key(kind, namespace, name), edit)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Forget an object."""
        self._store.delete(self._place, _key(kind, namespace, name))

    def of(self, kind: Kind) -> list[Props]:
        """Return every object of a kind, and of no other kind of that name."""
        return [one for one in self.all(kind.name) if one.get("apiVersion", kind.api_version) == kind.api_version]

    def all(self, kind: str) -> list[Props]:
        """Return every object of a kind, in the order of their namespaces and names."""
        return [document for key, document in self._store.all(self._place).items() if key.startswith(f"{kind}/")]

    def inside(self, namespace: str) -> list[tuple[str, str, Props]]:
        """Return (kind, name, object) of all that is in a namespace."""
        parts = ((key.split("/", 2), document) for key, document in self._store.all(self._place).items())
        return [(kind, name, document) for (kind, place, name), document in parts if namespace and place == namespace]

    def serves(self, kind: Kind) -> bool:
        """Tell whether the kind exists here. Helm leaves a chart's CRDs behind when the release goes."""
        return not kind.chart or self._store.get(self._place, _key(_INSTALLED, "", kind.chart)) is not None

    def runs(self, chart: str) -> bool:
        """Tell whether a release of ``chart`` is installed, so that its webhooks are asked."""
        return self.release(chart) is not None

    def release(self, chart: str) -> Props | None:
        """Return the release of ``chart``, or None."""
        return next((release for release in self.all("Release") if chart_of(release) == chart), None)

    def down(self, chart: str) -> bool:
        """Tell whether the fault is played that no pod of ``chart`` works."""
        return self._store.get(_DOWN, f"{self.name}|{chart}") is not None

    def install_kinds(self, chart: str, level: str = "") -> None:
        """Make the CRDs of a chart known, unless they are: Helm upgrades none. ``level`` is an older version's."""
        if self._store.get(self._place, _key(_INSTALLED, "", chart)) is None:
            self.put(_INSTALLED, "", chart, {"level": level})

    def level(self, kind: Kind) -> str:
        """Return the version of the controller whose CRD of a kind is here; empty for the newest."""
        return (self._store.get(self._place, _key(_INSTALLED, "", kind.chart)) or {}).get("level", "")

    @property
    def unreachable(self) -> bool:
        """Whether the fault is played that nothing reaches this API server."""
        return self._store.get(_UNREACHABLE, self.name) is not None

    @property
    def silent(self) -> bool:
        """Whether it is played besides that nobody is told so: packets are dropped, and whoever asks waits."""
        return bool((self._store.get(_UNREACHABLE, self.name) or {}).get("silent"))


def set_reachable(store: Store, cluster: str, *, reachable: bool, silent: bool = False) -> None:
    """Play, or stop playing, the fault that the API server of the EKS cluster named ``cluster`` cannot be reached.

    It refuses connections, as where nothing listens any more; ``silent``, it drops packets, as a private endpoint does
    from outside.
    """
    if reachable:
        store.delete(_UNREACHABLE, cluster)
    else:
        store.put(_UNREACHABLE, cluster, {"silent": silent})


def set_answering(store: Store, cluster: str, chart: str, *, answering: bool) -> None:
    """Play, or stop playing, the fault that all pods of the controller that ``chart`` brings are down in a cluster."""
    if answering:
        store.delete(_DOWN, f"{cluster}|{chart}")
    else:
        store.put(_DOWN, f"{cluster}|{chart}", {})


def chart_of(release: Props) -> str:
    """Return the name of a release's chart, which may be told by its whole address."""
    return release["chart"].rpartition("/")[2]


def at(document: Any, *path: str) -> Any:
    """Return what lies at ``path`` in an object, or None."""
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def _key(kind: str, namespace: str, name: str) -> str:
    return f"{kind}/{namespace}/{name}"
