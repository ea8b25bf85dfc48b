"""How the components stand on each other: the shared layer once, then the same for every cluster.

Owns which component is given what, and `protect`. Refuses to declare resources (components/) and to export (__main__).
No branch asks which cluster it is: clusters differ in their settings only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import pulumi
import pulumi_aws as aws
from pulumi import InvokeOptions, ResourceOptions

from components.access import LoadBalancerAccess
from components.answer import Answer, AnswerArgs
from components.binding import Binding, BindingArgs
from components.cluster import Cluster, ClusterArgs
from components.controllers import (
    AppMeshController,
    AppMeshControllerArgs,
    LoadBalancerController,
    LoadBalancerControllerArgs,
)
from components.existing_cluster import ExistingCluster, ExistingClusterArgs
from components.existing_listener import ExistingListener, ExistingListenerArgs
from components.load_balancer import SharedLoadBalancer, SharedLoadBalancerArgs
from components.mesh import ClusterMesh, ClusterMeshArgs
from components.namespaces import Namespaces, NamespacesArgs
from components.network import Network
from components.route import Route, RouteArgs
from components.service_discovery import SharedNamespace, SharedNamespaceArgs
from components.workloads import Workloads, WorkloadsArgs
from settings.aws import account_of
from settings.owner import CLUSTER_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from settings import Settings
    from settings.existing_clusters import AnyCluster
    from settings.load_balancers import LoadBalancer

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class SharedLayer:
    """What outlives every cluster."""

    network: Network | None
    load_balancers: dict[str, SharedLoadBalancer | ExistingListener]
    discovery: SharedNamespace | None


def shared_layer(settings: Settings, cloud: aws.Provider) -> SharedLayer:
    """Declare what clusters come and go behind: no edit of clusters or weights changes it."""
    network = Network("network", settings.network, ResourceOptions(providers=[cloud])) if settings.network else None
    load_balancers = {
        name: _own_load_balancer(settings, name, _given(network), cloud)
        if wanted.own
        else _existing_listener(settings, name, cloud)
        for name, wanted in settings.load_balancers.items()
    }
    discovery = None
    if wanted := settings.service_discovery:
        vpc_id = _given(network).vpc_id
        args = SharedNamespaceArgs(namespace=wanted.namespace, services=wanted.services, vpc_id=vpc_id)
        discovery = SharedNamespace("discovery", args, ResourceOptions(providers=[cloud]))
    return SharedLayer(network=network, load_balancers=load_balancers, discovery=discovery)


def _own_load_balancer(settings: Settings, name: str, network: Network, cloud: aws.Provider) -> SharedLoadBalancer:
    wanted = settings.own_load_balancers[name]
    zones = _in_role(settings, f"aws-{name}-zone", wanted.dns.assume_role, cloud)
    args = SharedLoadBalancerArgs(
        load_balancer=wanted,
        vpc_id=network.vpc_id,
        subnet_ids=network.private_subnet_ids if wanted.scheme == "internal" else network.public_subnet_ids,
        ingress_cidrs=settings.ingress_cidrs(name),
        zone_ids=_zone_ids(wanted, zones),
        zones=zones,
    )
    protect = wanted.deletion_protection or settings.carries(name)
    return SharedLoadBalancer(name, args, ResourceOptions(providers=[cloud], protect=protect))


def _in_role(settings: Settings, name: str, role: str | None, cloud: aws.Provider) -> aws.Provider:
    """Return the provider of what stands in another account, or the stack's own where no role leads there."""
    if role is None:
        return cloud
    return aws.Provider(name, **settings.aws.elsewhere(role).provider_arguments(pulumi.get_project(), settings.stack))


def _existing_listener(settings: Settings, name: str, cloud: aws.Provider) -> ExistingListener:
    args = ExistingListenerArgs(load_balancer=settings.elsewhere[name], cloud=cloud)
    return ExistingListener(name, args, ResourceOptions(providers=[cloud]))


def _given(network: Network | None) -> Network:
    """Return the network, without which the settings have refused whatever stands in one."""
    return cast("Network", network)


def route_layer(settings: Settings, shared: SharedLayer, cloud: aws.Provider) -> dict[str, Route]:
    """Declare every route over all clusters."""
    routes: dict[str, Route] = {}
    for name, wanted in settings.routes.items():
        on_it = settings.load_balancers[settings.load_balancer_of(name)]
        balancer = shared.load_balancers[settings.load_balancer_of(name)]
        args = RouteArgs(
            route=wanted,
            weights=settings.weights_of(name),
            serving={cluster for cluster in settings.clusters if settings.serves(name, cluster)},
            preview=settings.preview,
            previewed=settings.previewed(name),
            listener_arn=balancer.listener_arn,
            places=on_it.places,
            gives_back=not on_it.own,
            tags={key: settings.group_tags(key) for key in settings.clusters},
            names={key: fixed for key in settings.clusters if (fixed := settings.group_name(name, key))},
            vpc_id=balancer.vpc_id,
        )
        routes[name] = Route(name, args, ResourceOptions(providers=[cloud]))
    return routes


def answer_layer(settings: Settings, shared: SharedLayer, cloud: aws.Provider) -> None:
    """Declare what load balancers answer themselves, whatever the clusters' weights are."""
    for name, answer in settings.answers.items():
        key = settings.load_balancer_of(name)
        args = AnswerArgs(
            answer=answer,
            listener_arn=shared.load_balancers[key].listener_arn,
            priority=settings.load_balancers[key].places.weighted(answer.priority),
        )
        Answer(name, args, ResourceOptions(providers=[cloud]))


def cluster_layer(
    settings: Settings,
    key: str,
    shared: SharedLayer,
    routes: dict[str, Route],
    cloud: aws.Provider,
    *,
    node_counts: Mapping[str, int],
) -> Cluster | ExistingCluster:
    """Declare one cluster, its controllers, its bindings and its mesh; all but the mesh protected while it serves."""
    layers = _Layers(settings, shared, routes, cloud)
    return layers.own(key, node_counts) if key in settings.own_clusters else layers.existing(key)


@dataclass(frozen=True)
class _Layers:
    """What every cluster stands on."""

    settings: Settings
    shared: SharedLayer
    routes: dict[str, Route]
    cloud: aws.Provider

    def own(self, key: str, node_counts: Mapping[str, int]) -> Cluster:
        """Declare a cluster of the stack's own, and all that stands in it."""
        settings, cloud = self.settings, self.cloud
        wanted, network = settings.own_clusters[key], _given(self.shared.network)
        # AWS refuses to delete a cluster under deletion protection only when its nodes and add-ons are gone already.
        protect = settings.serving(key) or wanted.deletion_protection
        cluster = Cluster(
            key,
            ClusterArgs(
                cluster=wanted,
                eks_name=settings.eks_name(key),
                region=settings.aws.region,
                partition=settings.aws.partition,
                login=settings.aws.login,
                iam=settings.iam,
                vpc_id=network.vpc_id,
                private_subnets=network.private_subnets,
                load_balancers=self._access(key),
                node_counts=node_counts,
            ),
            ResourceOptions(providers=[cloud], protect=protect),
        )
        # Not protected: a right and a way in must be taken back at any time.
        Workloads(
            key,
            WorkloadsArgs(
                cluster_name=cluster.eks_name,
                security_group_id=cluster.security_group_id,
                identities=settings.pod_identities,
                egress=settings.allow_egress_to,
            ),
            ResourceOptions(providers=[cloud]),
        )
        # Whatever is dropped with the cluster must be as hard to remove as the cluster itself.
        inside = ResourceOptions(providers=[cloud, cluster.kubernetes], protect=protect)
        namespaces = Namespaces(
            key,
            NamespacesArgs(meshed=settings.namespaces(), mesh_name=settings.mesh_name(key), deleted_with=cluster.eks),
            inside,
        )
        controller = self._controller(
            key, cluster, wanted.controllers.load_balancer, inside, role_arn=wanted.controllers.load_balancer_role_arn
        )
        self._bindings(key, cluster, [controller.release], namespaces.made)
        self._mesh(key, cluster, inside, namespaces)
        return cluster

    def existing(self, key: str) -> ExistingCluster:
        """Declare what the stack has in a cluster that somebody else made."""
        wanted = self.settings.existing_clusters[key]
        cloud = _in_role(self.settings, f"aws-{key}", wanted.role, self.cloud)
        args = ExistingClusterArgs(
            cluster=wanted,
            region=self.settings.aws.region,
            login=self.settings.aws.elsewhere(wanted.role).login,
            load_balancers=self._access(key),
            cloud=cloud,
        )
        cluster = ExistingCluster(key, args, ResourceOptions(providers=[cloud]))
        if cluster.kubernetes:
            version, protect = wanted.load_balancer_controller.version, self.settings.serving(key)
            inside = ResourceOptions(providers=[self.cloud, cluster.kubernetes], protect=protect)
            after = [self._controller(key, cluster, version, inside).release] if version else []
            self._bindings(key, cluster, after, {})
        return cluster

    def _access(self, key: str) -> dict[str, LoadBalancerAccess]:
        wanted = self.settings.clusters[key]
        return {
            name: LoadBalancerAccess(
                security_group_id=_as_seen_from(wanted, balancer),
                ports=self.settings.target_ports(name, key),
                cidrs=wanted.let_in,
            )
            for name, balancer in self.shared.load_balancers.items()
        }

    def _controller(
        self,
        key: str,
        cluster: Cluster | ExistingCluster,
        version: str,
        inside: ResourceOptions,
        *,
        role_arn: str | None = None,
    ) -> LoadBalancerController:
        args = LoadBalancerControllerArgs(
            cluster_name=cluster.eks_name,
            region=self.settings.aws.region,
            vpc_id=cluster.vpc_id,
            chart_version=version,
            own_groups={**self.settings.owner.tags, CLUSTER_TAG: key},
            iam=self.settings.iam,
            mirrors=self.settings.mirrors,
            role_arn=role_arn,
            deleted_with=cluster.eks,
        )
        return LoadBalancerController(key, args, inside)

    def _bindings(
        self,
        key: str,
        cluster: Cluster | ExistingCluster,
        after: Sequence[pulumi.Resource],
        namespaces: Mapping[str, pulumi.Resource],
    ) -> None:
        settings = self.settings
        for name, route in self.routes.items():
            if name in settings.taken_over:
                continue
            service = settings.routes[name].service
            made = [namespaces[service.namespace]] if service.namespace in namespaces else []
            Binding(
                f"{name}-{key}",
                BindingArgs(
                    route=name,
                    api=settings.clusters[key].binding_api,
                    service=service,
                    target_type=settings.routes[name].target_type,
                    protocol=settings.routes[name].protocol,
                    target_group_arn=route.target_group_arns[key],
                    vpc_id=self.shared.load_balancers[settings.load_balancer_of(name)].vpc_id,
                    registers_as=settings.clusters[key].registers_as,
                    after=[route.preview_rules[key], *after, *made],
                    deleted_with=cluster.eks,
                ),
                ResourceOptions(
                    providers=[cluster.kubernetes] if cluster.kubernetes else [], protect=settings.serves(name, key)
                ),
            )

    def _mesh(self, key: str, cluster: Cluster, inside: ResourceOptions, namespaces: Namespaces) -> None:
        settings, discovery = self.settings, self.settings.service_discovery
        wanted = settings.own_clusters[key].controllers
        version = wanted.app_mesh
        if not (discovery and self.shared.discovery and version and settings.virtual_nodes()):
            return
        controller = AppMeshController(
            key,
            AppMeshControllerArgs(
                cluster_name=cluster.eks_name,
                region=settings.aws.region,
                account_id=_told(aws.get_caller_identity_output(opts=InvokeOptions(provider=self.cloud))).account_id,
                chart_version=version,
                iam=settings.iam,
                mirrors=settings.mirrors,
                role_arn=wanted.app_mesh_role_arn,
                deleted_with=cluster.eks,
            ),
            inside,
        )
        ClusterMesh(
            key,
            ClusterMeshArgs(
                mesh_name=settings.mesh_name(key),
                cloud_map_namespace=discovery.namespace,
                nodes=settings.virtual_nodes(),
                attributes=settings.attributes(key),
                after=[controller.release, *namespaces.made.values(), *self.shared.discovery.services.values()],
            ),
            # Virtual nodes are replaced when their attributes change.
            ResourceOptions(providers=[self.cloud, cluster.kubernetes]),
        )


def _as_seen_from(cluster: AnyCluster, balancer: SharedLoadBalancer | ExistingListener) -> pulumi.Output[str]:
    """Return a load balancer's security group as EC2 names it in the account of a cluster: another's with its own."""
    role = cluster.role
    if role is None or cluster.let_in:
        return balancer.security_group_id

    def named(both: list[str]) -> str:
        listener, group = both
        return group if account_of(role) == account_of(listener) else f"{account_of(listener)}/{group}"

    return pulumi.Output.all(balancer.listener_arn, balancer.security_group_id).apply(named)


def _zone_ids(balancer: LoadBalancer, cloud: aws.Provider) -> dict[str, pulumi.Output[str]]:
    """Return the ids of the zones in which the names of a load balancer lie, by name."""
    opts = InvokeOptions(provider=cloud)
    around = {name: zone for name in balancer.names if (zone := balancer.zone_of(name))}
    ids = {
        name: _told(aws.route53.get_zone_output(name=name, private_zone=private, opts=opts)).zone_id
        for name, private in {zone.name: zone.private for zone in around.values()}.items()
    }
    return {name: ids[zone.name] for name, zone in around.items()}


def _told(asked: pulumi.Output[_T]) -> pulumi.Output[_T]:
    """Say at once why AWS did not answer: when a program ends while hooks run, the engine may show their end alone."""

    async def answer() -> _T:
        try:
            return cast("_T", await asked.future())
        except Exception as error:
            pulumi.log.error(str(error))
            raise

    return pulumi.Output.from_input(answer())
