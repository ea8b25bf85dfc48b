"""What runs in the clusters: which pods a route has in each, and what the cluster's API tells of them.

Owns addresses and ports, and the documents ``service`` and ``node`` that the emulated controllers read. Refuses to own
registration in target groups. A TargetGroupBinding is how it hears of a route; that the binding goes does not end the
pods, only the end of the EKS cluster does.

How pods behave is a document ``workload``, key ``<cluster key>|<route>``, with the fields of `Behaviour` in pods.py;
what is left out has its default, and so has a document.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.kubernetes.cluster import SERVICE, Cluster
from rehearsal.world import loopback
from rehearsal.world.pods import Behaviour, Pod

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, Sequence

    from rehearsal.cloud.store import Store
    from rehearsal.world.alb import TargetGroup

WORKLOAD = "workload"

NODE = "node"
"""Documents {address, zone, cluster} by instance id; ``cluster`` is an EKS name."""

LEAVING_SECONDS = 60.0
"""How long a pod that shall leave serves on, in AWS's time: longer than the load balancer takes to see that it does."""

LEAST_NODES = 2

_NODE_PORTS = range(30_000, 32_768)
_POD_PORTS = range(20_000, 30_000)
_KEY = re.compile(r"v1-[0-9]{2}(?:-[b-d])?$")


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A route in an EKS cluster, as its TargetGroupBinding names it. ``instance``: nodes are registered, not pods."""

    cluster: str
    route: str
    namespace: str
    service: str
    instance: bool
    grpc: bool

    @property
    def key(self) -> str:
        """The key of the cluster."""
        return cluster_key(self.cluster)


@dataclass
class _Deployment:
    bound: Bound
    port: int
    pods: dict[int, Pod] = field(default_factory=dict[int, Pod])
    alive: bool = True
    told: dict[str, Any] | None = None


def cluster_key(eks_name: str) -> str:
    """Return the key of a cluster whose EKS name is ``<stack>-<key>``."""
    found = _KEY.search(eks_name)
    return found[0] if found else eks_name


def bound_routes(store: Store, clusters: Iterable[str], groups: Mapping[str, TargetGroup]) -> list[Bound]:
    """Return the routes that are bound in EKS clusters, by name, to target groups that exist."""
    return [
        Bound(
            cluster=cluster,
            route=binding["metadata"]["name"],
            namespace=binding["metadata"]["namespace"],
            service=binding["spec"]["serviceRef"]["name"],
            instance=binding["spec"]["targetType"] == "instance",
            grpc=groups[binding["spec"]["targetGroupARN"]].grpc,
        )
        for cluster in clusters
        for binding in Cluster(store, cluster).all("TargetGroupBinding")
        if binding["spec"]["targetGroupARN"] in groups
    ]


class Workloads:
    """The pods of all clusters. ``home`` tells their addresses apart from those of other rehearsals."""

    def __init__(self, store: Store, home: str, speed: float) -> None:
        self._store = store
        self._home = home
        self._leaving_seconds = LEAVING_SECONDS / speed
        self._deployments: dict[tuple[str, str], _Deployment] = {}
        self._nodes: dict[str, list[str]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def follow(self, zones: Mapping[str, Sequence[str]], bound: Iterable[Bound]) -> None:
        """Bring pods in line with the clusters that there are, their zones by EKS name, and with their documents."""
        for route in bound:
            if (route.cluster, route.route) not in self._deployments:
                self._deployments[route.cluster, route.route] = _Deployment(route, self._free_port(route))
        behaviours = self._store.all(WORKLOAD)
        for place, deployment in list(self._deployments.items()):
            here = deployment.bound
            if here.cluster not in zones:
                self._end(deployment)
                if not deployment.pods:
                    del self._deployments[place]
                continue
            behaviour = Behaviour(**behaviours.get(f"{here.key}|{here.route}", {}))
            self._run(deployment, behaviour, zones[here.cluster])
            self._tell(deployment, behaviour.replicas, zones[here.cluster])
        for cluster in self._nodes.keys() - zones.keys():
            for node in self._nodes.pop(cluster):
                self._store.delete(NODE, node)

    async def close(self) -> None:
        """End everything at once."""
        for task in self._ending:
            task.cancel()
        for deployment in self._deployments.values():
            for pod in list(deployment.pods.values()):
                await pod.die()

    def _run(self, deployment: _Deployment, behaviour: Behaviour, zones: Sequence[str]) -> None:
        if deployment.alive and not behaviour.alive:
            for pod in deployment.pods.values():
                self._in_background(pod.die())
        elif behaviour.alive and not deployment.alive:
            deployment.pods = {}
        deployment.alive = behaviour.alive
        if not behaviour.alive:
            return
        for index, pod in list(deployment.pods.items()):
            pod.behaviour = behaviour
            if index >= behaviour.replicas and not pod.leaving:
                self._let_go(deployment, index)
        for index in range(behaviour.replicas):
            if index not in deployment.pods:  # else it runs, or its address is not free yet
                pod = Pod(
                    deployment.bound.key,
                    self._address(deployment.bound, index, zones),
                    deployment.port,
                    deployment.bound.grpc,
                    behaviour,
                )
                deployment.pods[index] = pod
                pod.start()

    def _end(self, deployment: _Deployment) -> None:
        if deployment.told is not None:
            self._store.delete(SERVICE, self._service(deployment.bound))
            deployment.told = None
        if not deployment.alive:
            deployment.pods = {}
        for index, pod in deployment.pods.items():
            if not pod.leaving:
                self._let_go(deployment, index)

    def _let_go(self, deployment: _Deployment, index: int) -> None:
        pod = deployment.pods[index]
        pod.leaving = True  # at once: the endpoint leaves first

        async def leave() -> None:
            await pod.leave(self._leaving_seconds)
            if deployment.pods.get(index) is pod:
                del deployment.pods[index]

        self._in_background(leave())

    def _tell(self, deployment: _Deployment, replicas: int, zones: Sequence[str]) -> None:
        bound = deployment.bound
        told = {
            "type": "NodePort" if bound.instance else "ClusterIP",
            "nodePort": deployment.port if bound.instance else None,
            "replicas": replicas,
            "endpoints": [
                {
                    "address": pod.address,
                    "port": pod.port,
                    "zone": zones[index % len(zones)],
                    "node": self._node(bound.cluster, index, zones),
                    "ready": pod.ready,
                }
                for index, pod in sorted(deployment.pods.items())
                if not pod.leaving
            ],
        }
        if told != deployment.told:
            self._store.put(SERVICE, self._service(bound), told)
            deployment.told = told

    def _address(self, bound: Bound, index: int, zones: Sequence[str]) -> str:
        node = self._node(bound.cluster, index, zones)
        return self._node_address(node) if bound.instance else loopback.address(self._home, node, bound.route)

    def _node(self, cluster: str, index: int, zones: Sequence[str]) -> str:
        nodes = self._nodes.setdefault(cluster, [])
        for number in range(len(nodes), max(LEAST_NODES, index + 1)):
            node = f"i-{hashlib.sha256(f'{self._home}|{cluster}|{number}'.encode()).hexdigest()[:17]}"
            document = {"address": self._node_address(node), "zone": zones[number % len(zones)]}
            self._store.put(NODE, node, {**document, "cluster": cluster})
            nodes.append(node)
        return nodes[index]

    def _node_address(self, node: str) -> str:
        return loopback.address(self._home, node)

    def _free_port(self, bound: Bound) -> int:
        ports = _NODE_PORTS if bound.instance else _POD_PORTS
        taken = {deployment.port for place, deployment in self._deployments.items() if place[0] == bound.cluster}
        first = int(hashlib.sha256(bound.route.encode()).hexdigest(), 16)
        return next(port for step in range(len(ports)) if (port := ports[(first + step) % len(ports)]) not in taken)

    @staticmethod
    def _service(bound: Bound) -> str:
        return f"{bound.cluster}|{bound.namespace}|{bound.service}"

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
