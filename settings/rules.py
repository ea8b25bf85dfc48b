"""What is wrong between the keys of a stack file, although each key alone is right.

Every limit here is AWS's, found while the update runs, or a danger that AWS does not see at all. Refuses to own the
kinds of value (fields.py) and how a mistake is shown (reading.py).
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from settings.fields import version_of
from settings.models import ExistingNetwork, NewNetwork

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from settings.models import LoadBalancer, Preview, Route, Settings

# Not adjustable limits of an Application Load Balancer (AWS quotas), but for rules, which a user can have raised.
MAX_GROUPS_PER_ACTION = 5
MAX_GROUPS_PER_LOAD_BALANCER = 100
MAX_CONDITION_VALUES = 5
MAX_WILDCARDS = 6
# 32 characters for a target group's or load balancer's name, of which Pulumi's auto-naming takes a hyphen and 7 digits.
MAX_LOGICAL_NAME = 24
MAX_ATTRIBUTES = 30  # custom attributes of one Cloud Map instance
PROGRAM_ATTRIBUTES = ("ver", "env")  # set on every virtual node, so that clusters and environments can be told apart
MAX_MINORS_APART = 9  # further apart, two clusters' preview rules would take one priority


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong: where it stands, and what is wrong with it, what would follow, what to do."""

    key: str
    text: str


def _cluster_mistakes(settings: Settings) -> Iterator[Mistake]:
    for key, cluster in settings.clusters.items():
        begins = "v" + cluster.version.replace(".", "-")
        if key != begins and not key.startswith(f"{begins}-"):
            yield Mistake(
                f"clusters.{key}",
                f"the key of a {cluster.version} cluster is {begins} (or {begins}-b, -c, -d). EKS changes a version in "
                "place, so an edited version under an old key would upgrade the cluster that serves. "
                "Add the new version as a new key",
            )
        nodes = cluster.nodes
        if not nodes.min_size <= nodes.desired_size <= nodes.max_size:
            yield Mistake(
                f"clusters.{key}.nodes",
                f"minSize {nodes.min_size}, desiredSize {nodes.desired_size}, maxSize {nodes.max_size} are not in "
                "order. EKS would refuse the node group once the cluster is up. Order them",
            )
        if settings.mesh.kind == "appMesh" and cluster.controllers.app_mesh is None:
            yield Mistake(
                f"clusters.{key}.controllers.appMesh",
                "missing while mesh.kind is appMesh. The mesh's objects would find no controller. "
                "Give the chart version of appmesh-controller, or set mesh.kind to none",
            )
    if len(settings.clusters) > MAX_GROUPS_PER_ACTION:
        yield Mistake(
            "clusters",
            f"{len(settings.clusters)} clusters, and a weighted rule holds {MAX_GROUPS_PER_ACTION} target groups. ELB "
            "would refuse every rule. Retire a cluster first",
        )
    minors = [version_of(key)[1] for key in settings.clusters]
    if max(minors) - min(minors) > MAX_MINORS_APART:
        yield Mistake(
            "clusters",
            f"the versions 1.{min(minors)} and 1.{max(minors)} are more than {MAX_MINORS_APART} apart. Their preview "
            "rules would take one priority. Retire the oldest first",
        )


def _weight_mistakes(settings: Settings) -> Iterator[Mistake]:
    maps = {"weights": settings.weights} | {
        f"routes.{name}.weights": route.weights for name, route in settings.routes.items() if route.weights is not None
    }
    for key, weights in maps.items():
        for cluster in settings.clusters.keys() - weights.keys():
            yield Mistake(
                f"{key}.{cluster}",
                "missing. A target group that no rule names is not health-checked, and could not be told from a "
                "forgotten one. Every cluster stands in weights: write 0 for one that does not serve",
            )
        for cluster in weights.keys() - settings.clusters.keys():
            yield Mistake(
                f"{key}.{cluster}",
                f"there is no cluster {cluster} (there are {', '.join(settings.clusters)}). Its share would go "
                "nowhere. Correct the key, or add the cluster",
            )
        if sum(weights.values()) == 0:
            yield Mistake(
                key,
                "the weights add up to 0. What a load balancer does then is documented nowhere. "
                "Give at least one cluster a weight above 0",
            )


def _load_balancer_mistakes(settings: Settings) -> Iterator[Mistake]:
    names: Counter[str] = Counter()
    for key, balancer in settings.load_balancers.items():
        where = f"loadBalancers.{key}"
        if len(key) > MAX_LOGICAL_NAME:
            yield Mistake(where, _too_long(key))
        names.update(balancer.names)
        if balancer.names and balancer.zone is None:
            yield Mistake(
                f"{where}.zone",
                f"missing, but names has {', '.join(balancer.names)}. Nobody could make the records. "
                "Give the hosted zone of the names",
            )
        for name in balancer.names:
            if balancer.zone and not f".{name}".endswith(f".{balancer.zone}"):
                yield Mistake(
                    f"{where}.names",
                    f"{name} does not lie in the zone {balancer.zone}. The record would never be asked for. "
                    "Correct the name, or the zone",
                )
        if isinstance(settings.network, ExistingNetwork):
            if balancer.scheme == "internet-facing" and len(settings.network.public_subnet_ids) < 2:  # noqa: PLR2004
                yield Mistake(
                    "network.publicSubnetIds",
                    f"fewer than two, and load balancer {key} is internet-facing. ELB wants two zones. "
                    "Give a public subnet in each of two zones",
                )
            if balancer.scheme == "internal" and balancer.ingress_cidrs is None:
                yield Mistake(
                    f"{where}.ingressCidrs",
                    "missing for an internal load balancer in an existing VPC, whose range is not known here. Nobody "
                    "could connect. Give the ranges of the clients",
                )
        yield from _doubled(f"{where}.ingressCidrs", balancer.ingress_cidrs or ())
        yield from _rule_mistakes(settings, key, balancer)
    for name in (name for name, count in names.items() if count > 1):
        yield Mistake(
            "loadBalancers",
            f"the name {name} stands {names[name]} times. The second record would be refused as existing. "
            "Keep it at one load balancer",
        )


def _rule_mistakes(settings: Settings, key: str, balancer: LoadBalancer) -> Iterator[Mistake]:
    on_it = [name for name in settings.routes if settings.load_balancer_of(name) == key]
    groups = len(on_it) * len(settings.clusters)
    rules = groups + sum(settings.routes[name].live for name in on_it)
    if groups > MAX_GROUPS_PER_LOAD_BALANCER:
        yield Mistake(
            f"loadBalancers.{key}",
            f"{len(on_it)} routes over {len(settings.clusters)} clusters make {groups} target groups, and a load "
            f"balancer takes {MAX_GROUPS_PER_LOAD_BALANCER}. The update would stop halfway. Move routes to another one",
        )
    if rules > balancer.rule_quota:
        yield Mistake(
            f"loadBalancers.{key}.ruleQuota",
            f"{len(on_it)} routes over {len(settings.clusters)} clusters make {rules} rules, and the quota is "
            f"{balancer.rule_quota}. The update would stop halfway. Move routes to another load balancer, or have the "
            "quota raised in Service Quotas and write it here",
        )
    priorities = Counter(settings.routes[name].priority for name in on_it)
    for priority in (priority for priority, count in priorities.items() if count > 1):
        same = [name for name in on_it if settings.routes[name].priority == priority]
        yield Mistake(
            f"routes.{same[1]}.priority",
            f"{priority} is also the priority of {same[0]}. Two rules would want one place, and ELB would refuse the "
            "second (PriorityInUse). Give each route of a load balancer a place of its own",
        )
    conditions = Counter((frozenset(settings.routes[n].hosts), frozenset(settings.routes[n].paths)) for n in on_it)
    for (hosts, paths), count in conditions.items():
        if count > 1:
            same = [
                n for n in on_it if (set(settings.routes[n].hosts), set(settings.routes[n].paths)) == (hosts, paths)
            ]
            yield Mistake(
                f"routes.{same[-1]}",
                f"it has the hosts and paths of {same[0]}. The one with the higher priority number would never get a "
                "request. Tell them apart by hosts or paths",
            )


def _route_mistakes(settings: Settings) -> Iterator[Mistake]:
    for name, route in settings.routes.items():
        where = f"routes.{name}"
        if route.load_balancer is None and len(settings.load_balancers) > 1:
            yield Mistake(
                f"{where}.loadBalancer",
                f"missing, and there are {', '.join(settings.load_balancers)}. It would land on the first of them. "
                "Name one",
            )
        balancer = settings.load_balancers.get(settings.load_balancer_of(name))
        if balancer is None:
            yield Mistake(
                f"{where}.loadBalancer",
                f"there is no load balancer {route.load_balancer} (there are {', '.join(settings.load_balancers)}). "
                "The route would have no listener. Correct the name",
            )
        elif route.protocol_version == "GRPC" and not balancer.https:
            yield Mistake(
                f"{where}.protocolVersion",
                f"GRPC wants HTTPS, and load balancer {settings.load_balancer_of(name)} has no certificate. ELB would "
                "refuse the rule. Give the load balancer names in a zone, or a certificateArn",
            )
        if not route.hosts and not route.paths:
            yield Mistake(
                where,
                "it has neither hosts nor paths. A rule without a condition does not exist. "
                'Write paths: ["/*"] for every request',
            )
        for key in settings.clusters:
            if len(f"{name}-{key}") > MAX_LOGICAL_NAME:
                yield Mistake(where, _too_long(f"{name}-{key}"))
        yield from _condition_mistakes(where, route, settings.preview)
        yield from _target_mistakes(where, route)


def _target_mistakes(where: str, route: Route) -> Iterator[Mistake]:
    if route.slow_start and route.algorithm == "least_outstanding_requests":
        yield Mistake(
            f"{where}.slowStart",
            "slow start and least_outstanding_requests exclude each other. ELB would refuse the target group. "
            "Leave one of them out",
        )
    if route.health_check.timeout >= route.health_check.interval:
        yield Mistake(
            f"{where}.healthCheck.timeout",
            f"{route.health_check.timeout} s is not below the interval of {route.health_check.interval} s. ELB "
            "would refuse the target group. Shorten the timeout",
        )
    if route.target_type == "instance" and route.service.pod_port is not None:
        yield Mistake(
            f"{where}.service.podPort",
            "nodes are registered with their node port; podPort would be read by nobody. Leave it out, or set "
            "targetType to ip",
        )


def _condition_mistakes(where: str, route: Route, preview: Preview) -> Iterator[Mistake]:
    values = [*route.hosts, *route.paths]
    count = len(values) + 1 + len(preview.source_cidrs)
    if count > MAX_CONDITION_VALUES:
        yield Mistake(
            where,
            f"its preview rules would hold {count} condition values ({len(route.hosts)} hosts, {len(route.paths)} "
            f"paths, the preview header, {len(preview.source_cidrs)} source ranges), and a rule holds "
            f"{MAX_CONDITION_VALUES}. The update would stop halfway. Split the route, or use a wildcard",
        )
    wildcards = sum(value.count("*") + value.count("?") for value in values)
    if wildcards > MAX_WILDCARDS:
        yield Mistake(
            where,
            f"its hosts and paths hold {wildcards} wildcards, and a rule holds {MAX_WILDCARDS}. The update would stop "
            "halfway. Split the route",
        )


def _network_mistakes(settings: Settings) -> Iterator[Mistake]:
    if not isinstance(settings.network, NewNetwork):
        return
    yield from _doubled("network.zones", settings.network.zones)
    vpc = ipaddress.IPv4Network(settings.network.cidr)
    for key, cluster in settings.clusters.items():
        if cluster.service_cidr and vpc.overlaps(ipaddress.IPv4Network(cluster.service_cidr)):
            yield Mistake(
                f"clusters.{key}.serviceCidr",
                f"{cluster.service_cidr} overlaps the network's {settings.network.cidr}. Pods could not tell a Service "
                "from a node. Choose a range outside it",
            )


def _mesh_mistakes(settings: Settings) -> Iterator[Mistake]:
    discovery = settings.service_discovery
    meshed = [n for n, s in discovery.services.items() if s.virtual_node] if discovery else []
    if settings.mesh.kind == "none":
        for name in meshed:
            yield Mistake(
                f"serviceDiscovery.services.{name}.virtualNode",
                "there is no mesh; it would be read by nobody. Leave it out, or set mesh.kind to appMesh",
            )
    else:
        if not meshed:
            yield Mistake(
                "serviceDiscovery.services",
                "mesh.kind is appMesh, but no service has a virtualNode. The mesh would be empty, and pods in it "
                "refused. Describe the pods of a service, or set mesh.kind to none",
            )
        users = Counter(settings.mesh_name(key) for key in settings.clusters)
        for name in (name for name, count in users.items() if count > 1):
            same = [key for key in settings.clusters if settings.mesh_name(key) == name]
            yield Mistake(
                f"clusters.{same[1]}.meshName",
                f"{name} is also the mesh of {same[0]}. Both clusters' controllers would write one mesh, and deleting "
                "one cluster would delete what the other uses. Give each cluster a mesh name of its own",
            )
    if discovery is None:
        return
    if "ver" in discovery.attributes:
        yield Mistake(
            "serviceDiscovery.attributes.ver",
            "doubled: the program sets ver to the cluster's key. Clients that ask for one cluster would get both. "
            "Choose another key",
        )
    custom = {*discovery.attributes, *PROGRAM_ATTRIBUTES}
    if len(custom) > MAX_ATTRIBUTES:
        yield Mistake(
            "serviceDiscovery.attributes",
            f"{len(custom)} attributes, ver and env among them, and an instance holds {MAX_ATTRIBUTES}. No instance "
            "could be registered. Leave some out",
        )


def _doubled(key: str, values: Iterable[str]) -> Iterator[Mistake]:
    for value in (value for value, count in Counter(values).items() if count > 1):
        yield Mistake(key, f"{value} stands there twice. AWS would refuse the second. Leave one out")


def _too_long(name: str) -> str:
    return (
        f"the name {name} has {len(name)} characters; {MAX_LOGICAL_NAME} leave room for the 8 that auto-naming adds, "
        "without which a replacement could not exist beside what it replaces. Shorten it"
    )


def mistakes(settings: Settings) -> list[Mistake]:
    """Return everything that is wrong between fields, in the order of the configuration."""
    rules = (
        _network_mistakes,
        _load_balancer_mistakes,
        _cluster_mistakes,
        _weight_mistakes,
        _route_mistakes,
        _mesh_mistakes,
    )
    return [mistake for rule in rules for mistake in rule(settings)]
