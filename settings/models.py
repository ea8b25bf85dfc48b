"""The whole stack file, checked, and the questions that others have to it.

Refuses to own what a part of it may say (the areas beside it) and rules over several keys (rules/).
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from pydantic import Field

from settings.answers import Answer
from settings.aws import AssumableRoleArn, Aws, StackName
from settings.bindings import AUTO_MODE, AUTO_MODE_TAG
from settings.clusters import NODE_PORTS, Cluster
from settings.conditions import covers, meet, shared
from settings.discovery import Mesh, ServiceDiscovery, VirtualNode
from settings.existing_clusters import AnyCluster, ExistingCluster
from settings.iam import Iam
from settings.imports import Import, of_route
from settings.listeners import AnyLoadBalancer, ExistingLoadBalancer
from settings.load_balancers import LoadBalancer, LoadBalancerName
from settings.mirrors import Mirrors
from settings.network import Network, NewNetwork
from settings.operation import Checks, Gate, Preview, Retirement, Rollout
from settings.owner import Owner
from settings.routes import AnyRoute, Route, RouteName
from settings.values import ClusterKey, DnsLabel, Model, Several, Weight, edited
from settings.workloads import Egress, ServiceAccount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EVERYONE = ("0.0.0.0/0",)

_APP_MESH_ENDED = (
    "mesh.kind is appMesh, and AWS ended App Mesh on 2026-09-30: its API may answer no longer, and then this stack can "
    "change nothing in the mesh. Move the services to VPC Lattice or plain Cloud Map, then set mesh.kind to none."
)


class Settings(Model):
    """A whole stack file, checked. The keys are the project's own, but for its name, ``stack`` and ``aws``."""

    project: str
    stack: StackName
    aws: Aws
    network: Network | None = Field(
        default=None,
        description="a new VPC ({cidr, zones}) or an existing one ({vpcId, ...}); left out where all that needs one "
        "was made elsewhere",
    )
    load_balancers: dict[LoadBalancerName, AnyLoadBalancer] = Field(
        min_length=1,
        description="the load balancers by name: the stack's own, or listeners made elsewhere ({existing})",
    )
    clusters: dict[ClusterKey, AnyCluster] = Field(
        min_length=1,
        description="the clusters by key: the stack's own, such as v1-36, or clusters made elsewhere ({existing}), "
        "whose key is free",
    )
    weights: dict[ClusterKey, Weight] = Field(description="the share of every cluster, zeros included")
    matched: dict[RouteName, AnyRoute] = Field(
        default={},
        alias="routes",
        description="the routes by name: to clusters, or answered by the load balancer ({redirect}, {fixedResponse})",
    )
    gate: Gate = Field(default=Gate(), description="when a change of weights is refused")
    rollout: Rollout = Field(default=Rollout(), description="how a cluster is promoted step by step")
    retirement: Retirement = Field(default=Retirement(), description="when a cluster may be taken away")
    checks: Checks = Field(default=Checks(), description="which checks of a cluster may fail")
    preview: Preview = Field(default=Preview(), description="how a request asks for one cluster")
    existing_namespaces: Several[DnsLabel] = Field(
        default=(),
        description="Kubernetes namespaces that somebody else makes, and labels, in every cluster; default and kube-* "
        "are such without being named",
        json_schema_extra=edited(
            "a namespace that the stack has made stays in the clusters, with its labels, and is nobody's then"
        ),
    )
    pod_identities: dict[ServiceAccount, AssumableRoleArn] = Field(
        default={},
        description="the IAM roles of workloads in every cluster that the stack makes, by NAMESPACE/SERVICEACCOUNT; "
        "each trusts pods.eks.amazonaws.com",
        json_schema_extra=edited("taken out, its pods have no more credentials within the hour"),
    )
    allow_egress_to: Several[Egress] = Field(
        default=(),
        description="security groups of databases and caches, in the VPC or one that is peered with it, that let in "
        "every cluster that the stack makes",
        json_schema_extra=edited("taken out, the pods of every cluster are let in no more"),
    )
    iam: Iam = Field(default=Iam(), description="what every role has that the stack makes")
    mirrors: Mirrors = Field(default=Mirrors(), description="where the controllers' charts and images come from")
    service_discovery: ServiceDiscovery | None = Field(default=None, description="the shared Cloud Map namespace")
    mesh: Mesh = Field(default=Mesh(), description="the service mesh")
    import_: Import | None = Field(
        default=None,
        alias="import",
        description="what others made, and the stack takes over as it is; taken out again afterwards",
    )

    @property
    def owner(self) -> Owner:
        """Whose everything is that the stack makes."""
        return Owner(self.project, self.stack, tuple(one.existing.name for one in self.elsewhere.values()))

    # Each asks ``own`` first: of a value that is wrong that is not known, and whoever asked ends there (partial.py).

    @property
    def routes(self) -> dict[str, Route]:
        """The routes to clusters."""
        return {name: one for name, one in self.matched.items() if one.forwards and isinstance(one, Route)}

    @property
    def answers(self) -> dict[str, Answer]:
        """The routes that a load balancer answers itself."""
        found = {name: one for name, one in self.matched.items() if not one.forwards}
        return {name: one for name, one in found.items() if isinstance(one, Answer)}

    @property
    def own_load_balancers(self) -> dict[str, LoadBalancer]:
        """The load balancers that the stack makes."""
        return {key: one for key, one in self.load_balancers.items() if one.own and isinstance(one, LoadBalancer)}

    @property
    def own_clusters(self) -> dict[str, Cluster]:
        """The clusters that the stack makes."""
        return {key: one for key, one in self.clusters.items() if one.own and isinstance(one, Cluster)}

    @property
    def existing_clusters(self) -> dict[str, ExistingCluster]:
        """The clusters that others made, and that the stack binds Services in."""
        found = {key: one for key, one in self.clusters.items() if not one.own}
        return {key: one for key, one in found.items() if isinstance(one, ExistingCluster)}

    @property
    def elsewhere(self) -> dict[str, ExistingLoadBalancer]:
        """The listeners that others made, on which the stack has rules and nothing else."""
        found = {key: one for key, one in self.load_balancers.items() if not one.own}
        return {key: one for key, one in found.items() if isinstance(one, ExistingLoadBalancer)}

    @property
    def taken_over(self) -> frozenset[str]:
        """The routes of which a group or a rule is imported: nothing else of them is declared meanwhile."""
        ids = self.import_.ids if self.import_ else {}
        return frozenset(name for name in self.routes if any(one in ids for _, one in of_route(self, name)))

    def previewed(self, route: str) -> frozenset[str]:
        """Return the clusters that have a preview rule of a route: all of them, but while it is taken over."""
        ids = self.import_.ids if self.import_ else {}
        left_out = route in self.taken_over
        return frozenset(key for key in self.clusters if not left_out or f"{route}-{key}-preview" in ids)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user is told on every run although nothing is wrong."""
        return (
            *([_APP_MESH_ENDED] if self.mesh.kind == "appMesh" else []),
            *self._strange_hosts(),
            *self._shared_requests(),
            *self._unread(),
        )

    def _unread(self) -> Iterator[str]:
        """Yield what stands in the file and is read by nothing, as the rest of the file is."""
        if self.mesh.kind == "none":
            controllers = [
                f"clusters.{key}.controllers.appMesh"
                for key, one in self.own_clusters.items()
                if one.controllers.app_mesh
            ]
            for key in [
                *controllers,
                *(f"clusters.{key}.meshName" for key, one in self.own_clusters.items() if one.mesh_name),
            ]:
                yield f"{key} changes nothing: mesh.kind is none, and nothing else reads it."
        for key, given in {"podIdentities": self.pod_identities, "allowEgressTo": self.allow_egress_to}.items():
            if given and not self.own_clusters:
                yield f"{key} changes nothing: the stack makes no cluster, and who makes the others gives them theirs."
        for key, balancer in self.own_load_balancers.items():
            yield from balancer.unread(f"loadBalancers.{key}")

    def _strange_hosts(self) -> Iterator[str]:
        for name, route in self.matched.items():
            key = self.load_balancer_of(name)
            balancer = self.own_load_balancers.get(key)
            if balancer is None:
                continue
            strange = [host for host in route.hosts if not meet(host, balancer.names)]
            if balancer.records and strange:
                unsure = "" if balancer.certificate_arn else ", and the certificate made for them is not valid for it"
                yield (
                    f"The route {name} has the host {', '.join(strange)}, which loadBalancers.{key}.names has not. No "
                    f"record that is made here leads to it{unsure}. Add it to the names, unless a record, or something "
                    "in front, that is kept elsewhere brings its requests."
                )

    def _shared_requests(self) -> Iterator[str]:
        in_order = sorted(self.matched, key=lambda name: self.matched[name].priority)
        for first, other in combinations(in_order, 2):
            one, two = self.matched[first], self.matched[other]
            if self.load_balancer_of(first) != self.load_balancer_of(other) or covers(two, one):
                continue  # where the later one takes whatever the first leaves, the order is the point
            if both := shared(one, two):
                yield (
                    f"The routes {first} and {other} both match {both}. Such requests go to {first}, whose priority "
                    f"{one.priority} comes before {two.priority}."
                )

    def ingress_cidrs(self, load_balancer: str) -> tuple[str, ...]:
        """Return who may connect to a load balancer: whom it names, else everyone, or for an internal one the VPC."""
        wanted = self.own_load_balancers[load_balancer]
        if wanted.ingress_cidrs is not None:
            return wanted.ingress_cidrs
        if wanted.scheme == "internal" and isinstance(self.network, NewNetwork):
            return (self.network.cidr,)
        return (*_EVERYONE, "::/0") if wanted.dualstack else _EVERYONE

    @property
    def log_buckets(self) -> tuple[tuple[str, str, str], ...]:
        """The buckets that load balancers write logs into, as (load balancer, key, bucket)."""
        return tuple(
            (name, where, logs.bucket)
            for name, one in self.own_load_balancers.items()
            for where, logs in (("accessLogs", one.access_logs), ("connectionLogs", one.connection_logs))
            if logs
        )

    @property
    def user_pools(self) -> tuple[str, ...]:
        """The user pools of Cognito in which users of routes log in, by ARN, each once."""
        by = [route.authenticate.cognito for route in self.routes.values() if route.authenticate]
        return tuple(dict.fromkeys(pool.user_pool_arn for pool in by if pool))

    def weights_of(self, route: str) -> Mapping[str, int]:
        """Return the weights that count for a route: its own, or the stack's."""
        own = self.routes[route].weights
        return self.weights if own is None else own

    def serves(self, route: str, cluster: str) -> bool:
        """Tell whether the route's weighted rule sends requests to the cluster."""
        return self.routes[route].live and self.weights_of(route)[cluster] > 0

    def serving(self, cluster: str) -> bool:
        """Tell whether the cluster's weight is above 0 in any route, live or not."""
        return any(weights[cluster] > 0 for weights in (self.weights, *map(self.weights_of, self.routes)))

    def load_balancer_of(self, route: str) -> str:
        """Return the name of the load balancer on which a route lies."""
        return self.matched[route].load_balancer or next(iter(self.load_balancers))

    def eks_name(self, cluster: str) -> str:
        """Return the name of a cluster in EKS, unique in account and region; one that is not in the file has no own."""
        if cluster in self.existing_clusters:
            return self.existing_clusters[cluster].existing.name
        own = self.own_clusters[cluster].name if cluster in self.own_clusters else None
        return own or f"{self.stack}-{cluster}"

    def mesh_name(self, cluster: str) -> str:
        """Return the name of the cluster's mesh: one name in two clusters would be adopted, silently, by both."""
        own = self.own_clusters[cluster].mesh_name if cluster in self.own_clusters else None
        return own or self.eks_name(cluster)

    def attributes(self, cluster: str) -> dict[str, str]:
        """Return the Cloud Map attributes of a cluster's instances: ``ver``, ``env`` and the user's own."""
        own = self.service_discovery.attributes if self.service_discovery else {}
        return {"ver": cluster, "env": self.stack, **own}

    def target_ports(self, load_balancer: str, cluster: str) -> dict[tuple[int, int], bool]:
        """Return the (first, last) port ranges on which a load balancer reaches a cluster, and whether each serves."""
        ports: dict[tuple[int, int], bool] = {}
        for name, route in self.routes.items():
            if self.load_balancer_of(name) == load_balancer and name not in self.taken_over:
                pods = (route.service.target_port, route.service.target_port)
                reached = NODE_PORTS if route.target_type == "instance" else pods
                asked = [reached, *([(check, check)] if (check := route.health_check.port) else [])]
                for one in asked:
                    ports[one] = ports.get(one, False) or self.serves(name, cluster)
        return ports

    def group_name(self, route: str, cluster: str) -> str | None:
        """Return the name for good of a target group, where its cluster's have one: `<stack>-<route>-<cluster>`."""
        return f"{self.stack}-{route}-{cluster}" if self.clusters[cluster].named_groups else None

    def crd_level(self, cluster: str) -> str | None:
        """Return what a cluster's file says of the version of its controller's CRDs, which only others' may."""
        existing = self.existing_clusters.get(cluster)
        return existing.load_balancer_controller.crd_level if existing else None

    def group_tags(self, cluster: str) -> dict[str, str]:
        """Return what a cluster's target groups are tagged with besides, so that its controller may empty them."""
        return {AUTO_MODE_TAG: self.eks_name(cluster)} if self.clusters[cluster].binding_api is AUTO_MODE else {}

    def carries(self, load_balancer: str) -> bool:
        """Tell whether a live route lies on a load balancer."""
        return any(route.live and self.load_balancer_of(name) == load_balancer for name, route in self.routes.items())

    def namespaces(self) -> dict[str, bool]:
        """Return the Kubernetes namespaces that the stack makes in every cluster, and whether each is in the mesh."""
        meshed = {node.namespace for node in self.virtual_nodes().values()}
        bound = (route for name, route in self.routes.items() if name not in self.taken_over)
        wanted = meshed | {route.service.namespace for route in bound}
        own = wanted.difference(self.existing_namespaces, ["default"])
        return {name: name in meshed for name in sorted(own) if not name.startswith("kube-")}

    def virtual_nodes(self) -> dict[str, VirtualNode]:
        """Return the pods in the mesh by Cloud Map service; where there is no mesh, none may be described."""
        services = self.service_discovery.services if self.service_discovery else {}
        return {name: service.virtual_node for name, service in services.items() if service.virtual_node}
