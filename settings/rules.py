"""What is wrong between the keys of a stack file, although each key alone is right.

Every limit here is AWS's, found while the update runs, or a danger that AWS does not see at all. Refuses to own the
kinds of value (fields.py) and how a mistake is shown (reading.py).
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from itertools import combinations
from typing import TYPE_CHECKING, ParamSpec

from settings.conditions import covers
from settings.models import ExistingNetwork, NewNetwork
from settings.partial import UNKNOWN, UnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from settings.models import Cluster, LoadBalancer, Preview, Route, Settings

# Not adjustable limits of an Application Load Balancer (AWS quotas), but for rules, which a user can have raised.
MAX_GROUPS_PER_ACTION = 5
MAX_GROUPS_PER_LOAD_BALANCER = 100
MAX_CONDITION_VALUES = 5
MAX_WILDCARDS = 6
MAX_ATTRIBUTES = 30  # custom attributes of one Cloud Map instance
CONTROLLER_ATTRIBUTES = 6  # which the App Mesh controller adds: pod, namespace, mesh, virtual node, region and zone
MAX_CERTIFICATE_NAMES = 10
MAX_FIRST_NAME = 64  # characters of the name after which ACM calls a certificate
MAX_SECURITY_RULES = 60  # of one direction in a security group
MAX_MINORS_APART = 9  # further apart, two clusters' preview rules would take one priority


P = ParamSpec("P")


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong: where it stands, and what is wrong with it, what would follow, what to do.

    ``code`` is that of the kind of mistake, by which people search. No other kind ever gets it.
    """

    code: str
    key: str
    text: str


def _as_far_as_known(rule: Callable[P, Iterator[Mistake]]) -> Callable[P, Iterator[Mistake]]:
    """Let a rule end where it needs a value that is wrong itself; what it has found until then stands."""

    @wraps(rule)
    def until_unknown(*args: P.args, **kwargs: P.kwargs) -> Iterator[Mistake]:
        with suppress(UnknownError):
            yield from rule(*args, **kwargs)

    return until_unknown


@_as_far_as_known
def _cluster_mistakes(settings: Settings) -> Iterator[Mistake]:
    for key, cluster in settings.clusters.items():
        yield from _mistakes_of_cluster(settings, key, cluster)
    if len(settings.clusters) > MAX_GROUPS_PER_ACTION:
        yield Mistake(
            "CUT200",
            "clusters",
            f"{len(settings.clusters)} clusters, and a weighted rule holds {MAX_GROUPS_PER_ACTION} target groups. ELB "
            "would refuse every rule. Retire a cluster first",
        )
    minors = [int(cluster.version.split(".")[1]) for cluster in settings.clusters.values()]
    if max(minors) - min(minors) > MAX_MINORS_APART:
        yield Mistake(
            "CUT201",
            "clusters",
            f"the versions 1.{min(minors)} and 1.{max(minors)} are more than {MAX_MINORS_APART} apart. Their preview "
            "rules would take one priority. Retire the oldest first",
        )


@_as_far_as_known
def _mistakes_of_cluster(settings: Settings, key: str, cluster: Cluster) -> Iterator[Mistake]:
    begins = "v" + cluster.version.replace(".", "-")
    if key != begins and not key.startswith(f"{begins}-"):
        yield Mistake(
            "CUT202",
            f"clusters.{key}.version",
            f"{cluster.version} does not go with the key {key}. EKS changes a version in place, so the cluster "
            "that serves would be upgraded, with no way back. Put the key's version back, and add "
            f"{cluster.version} as a new cluster under the key {begins}",
        )
    minor, proxy = (int(version.split(".")[1]) for version in (cluster.version, cluster.addons.kube_proxy))
    if proxy > minor:
        yield Mistake(
            "CUT203",
            f"clusters.{key}.addons.kubeProxy",
            f"{cluster.addons.kube_proxy} is newer than the cluster's {cluster.version}. EKS has none such for it, "
            f"and would refuse the add-on once the cluster is up. Write one that begins with v{cluster.version}",
        )
    nodes = cluster.nodes
    if not nodes.min_size <= nodes.desired_size <= nodes.max_size:
        yield Mistake(
            "CUT204",
            f"clusters.{key}.nodes",
            f"minSize {nodes.min_size}, desiredSize {nodes.desired_size}, maxSize {nodes.max_size} are not in "
            "order. EKS would refuse the node group once the cluster is up. Order them",
        )
    principals = {name: entry.principal_arn for name, entry in cluster.access_entries.items()}
    for name, first in _alike(principals):
        yield Mistake(
            "CUT205",
            f"clusters.{key}.accessEntries.{name}.principalArn",
            f"{principals[name]} is also the principal of {first}. EKS would refuse a second entry once the "
            "cluster is up. Leave one out",
        )
    if settings.mesh.kind == "appMesh" and cluster.controllers.app_mesh is None:
        yield Mistake(
            "CUT206",
            f"clusters.{key}.controllers.appMesh",
            "missing while mesh.kind is appMesh. The mesh's objects would find no controller. "
            "Give the chart version of appmesh-controller, or set mesh.kind to none",
        )


@_as_far_as_known
def _weight_mistakes(settings: Settings) -> Iterator[Mistake]:
    maps = {"weights": settings.weights} | {
        f"routes.{name}.weights": route.weights for name, route in settings.routes.items() if route.weights is not None
    }
    override = settings.gate.override
    if override and override.weights:
        maps["gate.override.weights"] = override.weights
    for key, weights in maps.items():
        yield from _mistakes_of_weights(settings, key, weights)


@_as_far_as_known
def _mistakes_of_weights(settings: Settings, key: str, weights: Mapping[str, int]) -> Iterator[Mistake]:
    for cluster in (cluster for cluster in settings.clusters if cluster not in weights):
        yield Mistake(
            "CUT207",
            f"{key}.{cluster}",
            "missing. A target group that no rule names is not health-checked, and could not be told from a "
            "forgotten one. Every cluster stands in weights: write 0 for one that does not serve",
        )
    for cluster in (cluster for cluster in weights if cluster not in settings.clusters):
        yield Mistake(
            "CUT208",
            f"{key}.{cluster}",
            f"there is no cluster {cluster} (there are {', '.join(settings.clusters)}). Its share would go "
            "nowhere. Correct the key, or add the cluster",
        )
    if sum(weights.values()) == 0:
        yield Mistake(
            "CUT209",
            key,
            "the weights add up to 0. What a load balancer does then is documented nowhere. "
            "Give at least one cluster a weight above 0",
        )


@_as_far_as_known
def _rollout_mistakes(settings: Settings) -> Iterator[Mistake]:
    steps = settings.rollout.steps
    if list(steps) != sorted(steps) or steps[-1] != 100:  # noqa: PLR2004 - percent
        yield Mistake(
            "CUT210",
            "rollout.steps",
            f"{', '.join(map(str, steps))} do not rise to 100. A promotion would take traffic back on its way, or end "
            "with two clusters that serve. Order them, and write 100 last",
        )


@_as_far_as_known
def _load_balancer_mistakes(settings: Settings) -> Iterator[Mistake]:
    for key, balancer in settings.load_balancers.items():
        yield from _mistakes_of_load_balancer(settings, key, balancer)
        yield from _limit_mistakes(settings, key, balancer)
        yield from _rule_mistakes(settings, key, balancer)
    names = Counter(name for balancer in settings.load_balancers.values() for name in balancer.names)
    for name in (name for name, count in names.items() if count > 1):
        yield Mistake(
            "CUT211",
            "loadBalancers",
            f"the name {name} stands {names[name]} times. The second record would be refused as existing. "
            "Keep it at one load balancer",
        )


@_as_far_as_known
def _mistakes_of_load_balancer(settings: Settings, key: str, balancer: LoadBalancer) -> Iterator[Mistake]:
    where, zone = f"loadBalancers.{key}", balancer.hosted_zone
    if balancer.names and zone is None:
        yield Mistake(
            "CUT212",
            f"{where}.zone",
            f"missing, but names has {', '.join(balancer.names)}. Nobody could make the records. "
            "Give the hosted zone of the names",
        )
    for name in balancer.names:
        if zone and not f".{name}".endswith(f".{zone.name}"):
            yield Mistake(
                "CUT213",
                f"{where}.names",
                f"{name} does not lie in the zone {zone.name}. The record would never be asked for. "
                "Correct the name, or the zone",
            )
    if balancer.certificate_arn and balancer.certificate_arn.split(":")[3] != settings.aws.region:
        yield Mistake(
            "CUT214",
            f"{where}.certificateArn",
            f"{balancer.certificate_arn} does not lie in {settings.aws.region}. ELB would refuse the listener. "
            "Give a certificate of that region",
        )
    if isinstance(settings.network, ExistingNetwork):
        if balancer.scheme == "internet-facing" and len(settings.network.public_subnet_ids) < 2:  # noqa: PLR2004
            yield Mistake(
                "CUT215",
                "network.publicSubnetIds",
                f"fewer than two, and load balancer {key} is internet-facing. ELB wants two zones. "
                "Give a public subnet in each of two zones",
            )
        if balancer.scheme == "internal" and balancer.ingress_cidrs is None:
            yield Mistake(
                "CUT216",
                f"{where}.ingressCidrs",
                "missing for an internal load balancer in an existing VPC, whose range is not known here. Nobody "
                "could connect. Give the ranges of the clients",
            )


@_as_far_as_known
def _limit_mistakes(settings: Settings, key: str, balancer: LoadBalancer) -> Iterator[Mistake]:
    names = () if balancer.certificate_arn else balancer.names
    if names and balancer.hosted_zone and balancer.hosted_zone.private:
        yield Mistake(
            "CUT217",
            f"loadBalancers.{key}.certificateArn",
            f"missing, and the zone {balancer.hosted_zone.name} is private. ACM looks for its records in public zones, "
            "so the update would wait for a certificate until it fails. Give one that is valid for the names",
        )
    if len(names) > MAX_CERTIFICATE_NAMES:
        yield Mistake(
            "CUT218",
            f"loadBalancers.{key}.names",
            f"{len(names)} names, and ACM gives a certificate {MAX_CERTIFICATE_NAMES}. It would refuse the certificate "
            "halfway through the update. Use a wildcard, or give a certificateArn of your own",
        )
    if names and len(names[0]) > MAX_FIRST_NAME:
        yield Mistake(
            "CUT219",
            f"loadBalancers.{key}.names",
            f"the first, {names[0]}, has {len(names[0])} characters, and ACM calls a certificate after a name of at "
            f"most {MAX_FIRST_NAME}. It would refuse the certificate halfway through the update. Put a shorter name "
            "first",
        )
    ranges, ports = len(settings.ingress_cidrs(key)), 2 if balancer.https else 1
    if ranges * ports > MAX_SECURITY_RULES:
        yield Mistake(
            "CUT220",
            f"loadBalancers.{key}.ingressCidrs",
            f"{ranges} ranges on {'ports 80 and 443' if ports > 1 else 'port 80'} make {ranges * ports} rules, and a "
            f"security group holds {MAX_SECURITY_RULES}. The update would stop halfway. Write fewer, wider ranges",
        )


@_as_far_as_known
def _rule_mistakes(settings: Settings, key: str, balancer: LoadBalancer) -> Iterator[Mistake]:
    alone = len(settings.load_balancers) == 1  # where there are several, a route that names none lies on none
    on_it = {
        name: route
        for name, route in settings.routes.items()
        if route.load_balancer == key or (alone and not route.load_balancer)
    }
    groups = len(on_it) * len(settings.clusters)
    rules = groups + sum(route.live for route in on_it.values())
    if groups > MAX_GROUPS_PER_LOAD_BALANCER:
        yield Mistake(
            "CUT221",
            f"loadBalancers.{key}",
            f"{len(on_it)} routes over {len(settings.clusters)} clusters make {groups} target groups, and a load "
            f"balancer takes {MAX_GROUPS_PER_LOAD_BALANCER}. The update would stop halfway. Move routes to another one",
        )
    if rules > balancer.rule_quota:
        yield Mistake(
            "CUT222",
            f"loadBalancers.{key}.ruleQuota",
            f"{len(on_it)} routes over {len(settings.clusters)} clusters make {rules} rules, and the quota is "
            f"{balancer.rule_quota}. The update would stop halfway. Move routes to another load balancer, or have the "
            "quota raised in Service Quotas and write it here",
        )
    priorities = {name: route.priority for name, route in on_it.items()}
    for name, first in _alike(priorities):
        yield Mistake(
            "CUT223",
            f"routes.{name}.priority",
            f"{priorities[name]} is also the priority of {first}. Two rules would want one place, and ELB would refuse "
            "the second (PriorityInUse). Give each route of a load balancer a place of its own",
        )
    told: set[str] = set()
    named = sorted((name for name, route in on_it.items() if route.hosts or route.paths), key=priorities.__getitem__)
    for first, name in combinations(named, 2):
        if name in told or not covers(on_it[first], on_it[name]):
            continue
        told.add(name)
        cure = f"Give {first} a priority above {priorities[name]} that no other has, or tell the two apart"
        yield Mistake(
            "CUT224",
            f"routes.{name}",
            f"all that it matches, {first} matches too, and comes first. It would never get a request, nor would its "
            f"preview. {'Tell the two apart' if covers(on_it[name], on_it[first]) else cure} by hosts or paths",
        )


@_as_far_as_known
def _route_mistakes(settings: Settings) -> Iterator[Mistake]:
    for name, route in settings.routes.items():
        where = f"routes.{name}"
        yield from _mistakes_of_route(settings, name, route)
        yield from _condition_mistakes(where, route, settings.preview)
        yield from _target_mistakes(where, route)


@_as_far_as_known
def _mistakes_of_route(settings: Settings, name: str, route: Route) -> Iterator[Mistake]:
    where = f"routes.{name}"
    if route.load_balancer is None and len(settings.load_balancers) > 1:
        yield Mistake(
            "CUT225",
            f"{where}.loadBalancer",
            f"missing, and there are {', '.join(settings.load_balancers)}. It would land on the first of them. "
            "Name one",
        )
    balancer = settings.load_balancers.get(settings.load_balancer_of(name))
    if balancer is None:
        yield Mistake(
            "CUT226",
            f"{where}.loadBalancer",
            f"there is no load balancer {route.load_balancer} (there are {', '.join(settings.load_balancers)}). "
            "The route would have no listener. Correct the name",
        )
    elif route.protocol_version != "HTTP1" and not balancer.https:
        yield Mistake(
            "CUT227",
            f"{where}.protocolVersion",
            f"{route.protocol_version} wants HTTPS, and load balancer {settings.load_balancer_of(name)} has no "
            "certificate. ELB would refuse the rule. Give the load balancer names in a zone, or a certificateArn",
        )
    if not route.hosts and not route.paths:
        yield Mistake(
            "CUT228",
            where,
            "it has neither hosts nor paths. A rule without a condition does not exist. "
            'Write paths: ["/*"] for every request',
        )


@_as_far_as_known
def _target_mistakes(where: str, route: Route) -> Iterator[Mistake]:
    if route.slow_start and route.algorithm != "round_robin":
        yield Mistake(
            "CUT229",
            f"{where}.slowStart",
            f"slow start and {route.algorithm} exclude each other. ELB would refuse the target group. "
            "Leave one of them out",
        )
    least, most = (0, 99) if route.protocol_version == "GRPC" else (200, 499)
    matcher = route.health_check.matcher
    if matcher and not all(least <= int(code) <= most for code in re.split("[,-]", matcher)):
        yield Mistake(
            "CUT230",
            f"{where}.healthCheck.matcher",
            f"{matcher} is not within {least} to {most}, the codes of {route.protocol_version}. ELB would refuse the "
            "target group. Correct it, or leave it out",
        )
    path = route.health_check.path
    if route.protocol_version == "GRPC" and not re.fullmatch("/[^/]+/[^/]+", f"{path}"):
        yield Mistake(
            "CUT231",
            f"{where}.healthCheck.path",
            f"{path} is no method. Over GRPC every target would answer 12 (unimplemented), and count as unhealthy. "
            "Write /PACKAGE.SERVICE/METHOD, such as /grpc.health.v1.Health/Check",
        )
    if route.health_check.timeout >= route.health_check.interval:
        yield Mistake(
            "CUT232",
            f"{where}.healthCheck.timeout",
            f"{route.health_check.timeout} s is not below the interval of {route.health_check.interval} s. ELB "
            "would refuse the target group. Shorten the timeout",
        )
    if route.target_type == "instance" and route.service.pod_port is not None:
        yield Mistake(
            "CUT233",
            f"{where}.service.podPort",
            "nodes are registered with their node port. What podPort says would be ignored without a word. Leave it "
            "out, or set targetType to ip",
        )


@_as_far_as_known
def _condition_mistakes(where: str, route: Route, preview: Preview) -> Iterator[Mistake]:
    values = [*route.hosts, *route.paths]
    count = len(values) + 1 + len(preview.source_cidrs)
    if count > MAX_CONDITION_VALUES:
        yield Mistake(
            "CUT234",
            where,
            f"its preview rules would hold {count} condition values ({len(route.hosts)} hosts, {len(route.paths)} "
            f"paths, the preview header, {len(preview.source_cidrs)} source ranges), and a rule holds "
            f"{MAX_CONDITION_VALUES}. The update would stop halfway. Split the route, or use a wildcard",
        )
    wildcards = sum(value.count("*") + value.count("?") for value in values)
    if wildcards > MAX_WILDCARDS:
        yield Mistake(
            "CUT235",
            where,
            f"its hosts and paths hold {wildcards} wildcards, and a rule holds {MAX_WILDCARDS}. The update would stop "
            "halfway. Split the route",
        )


@_as_far_as_known
def _network_mistakes(settings: Settings) -> Iterator[Mistake]:
    if not isinstance(settings.network, NewNetwork):
        return
    region = settings.aws.region
    for zone in (zone for zone in settings.network.zones if not re.fullmatch(f"{region}[a-g]", zone)):
        apart = zone.startswith(f"{region}-")
        yield Mistake(
            "CUT236",
            "network.zones",
            f"{zone} is a zone apart from those of {region} (a Local or Wavelength Zone). EKS would refuse its subnets "
            f"for the first cluster. Write one such as {region}a"
            if apart
            else f"{zone} is no zone of {region}. AWS would refuse its subnets halfway through the update. "
            f"Write one such as {region}a",
        )
    vpc = ipaddress.IPv4Network(settings.network.cidr)
    for key, cluster in settings.clusters.items():
        if cluster.service_cidr and vpc.overlaps(ipaddress.IPv4Network(cluster.service_cidr)):
            yield Mistake(
                "CUT237",
                f"clusters.{key}.serviceCidr",
                f"{cluster.service_cidr} overlaps the network's {settings.network.cidr}. Pods could not tell a Service "
                "from a node. Choose a range outside it",
            )


@_as_far_as_known
def _discovery_mistakes(settings: Settings) -> Iterator[Mistake]:
    if settings.service_discovery is None:
        return
    namespace = settings.service_discovery.namespace
    for key, balancer in settings.load_balancers.items():
        for name in (name for name in balancer.names if f".{name}".endswith(f".{namespace}")):
            yield Mistake(
                "CUT238",
                "serviceDiscovery.namespace",
                f"{name}, a name of load balancer {key}, lies in {namespace}. Inside the VPC the namespace is a zone "
                f"of its own, in which nobody would find that name. Choose another, such as svc.{namespace}",
            )


@_as_far_as_known
def _name_mistakes(settings: Settings) -> Iterator[Mistake]:
    names = {key: settings.eks_name(key) for key in settings.clusters}
    for key, first in _alike(names):
        yield Mistake(
            "CUT239",
            f"clusters.{key}.name",
            f"{names[key]} is also the name of {first} in EKS, which has one cluster of a name. It would refuse the "
            "second halfway through the update. Give each cluster a name of its own",
        )


@_as_far_as_known
def _joined_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield what would have another's name in Pulumi, where names begin with those of clusters and load balancers."""
    inside = {
        "the namespace": {key: settings.namespaces() for key in settings.clusters},
        "the virtual node": {key: settings.virtual_nodes() for key in settings.clusters},
    }
    for what, names in inside.items():
        each = {key: [(name, name) for name in its] for key, its in names.items()}
        for key, name, _, first, other in _joined_alike(each):
            yield Mistake(
                "CUT240",
                f"clusters.{key}",
                f"{what} {name} would be {key}-{name} in Pulumi, as {what} {other} of {first} is, and a name is taken "
                "once. No preview would end. Give the cluster another letter at its end",
            )
    records = {key: list(_records(balancer)) for key, balancer in settings.load_balancers.items()}
    for key, name, record, first, other in _joined_alike(records):
        cure = "Leave one of the two names out" if first == key else "Give the load balancer another key"
        yield Mistake(
            "CUT241",
            f"loadBalancers.{key}.names",
            f"{record} would be {key}-{name} in Pulumi, as {other} of {first} is, and a name is taken once. No preview "
            f"would end. {cure}",
        )


def _records(balancer: LoadBalancer) -> Iterator[tuple[str, str]]:
    """Yield the name behind its key of each record that a load balancer has, and what it is."""
    yield from ((name, name) for name in balancer.names)
    if balancer.certificate_arn is None:
        for domain in dict.fromkeys(name.removeprefix("*.") for name in balancer.names):
            yield f"validation-{domain}", f"the validation of {domain}"


def _joined_alike(
    names: Mapping[str, Iterable[tuple[str, str]]],
) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield owner, name and word of what has another's name once it is joined to its owner's, and the other's two.

    ``names`` are, by owner, each name and the word for it.
    """
    seen: dict[str, tuple[str, str]] = {}
    for owner, its in names.items():
        for name, word in its:
            first = seen.setdefault(f"{owner}-{name}", (owner, word))
            if first != (owner, word):
                yield owner, name, word, *first


@_as_far_as_known
def _partition_mistakes(settings: Settings) -> Iterator[Mistake]:
    arns = {f"aws:assumeRoles[{place}].roleArn": role.role_arn for place, role in enumerate(settings.aws.assume_roles)}
    for key, balancer in settings.load_balancers.items():
        if balancer.certificate_arn:
            arns[f"loadBalancers.{key}.certificateArn"] = balancer.certificate_arn
    for key, cluster in settings.clusters.items():
        for name, entry in cluster.access_entries.items():
            arns[f"clusters.{key}.accessEntries.{name}.principalArn"] = entry.principal_arn
    partition = settings.aws.partition
    for key, arn in arns.items():
        if not arn.startswith(f"arn:{partition}:"):
            yield Mistake(
                "CUT242",
                key,
                f"{arn} is not of {settings.aws.region}, whose ARNs begin with arn:{partition}. AWS would find nothing "
                "of that name. Give one that begins so",
            )


@_as_far_as_known
def _login_mistakes(settings: Settings) -> Iterator[Mistake]:
    roles = settings.aws.assume_roles
    what = {"aws:assumeRoles": f"{len(roles)} roles, one after the other"} if len(roles) > 1 else {}
    what |= {f"aws:assumeRoles[{n}].externalId": "an external id" for n, role in enumerate(roles) if role.external_id}
    for key, more in what.items():
        yield Mistake(
            "CUT243",
            key,
            f"{more}. The login to the clusters is `aws eks get-token`, which assumes one role and knows no external "
            "id, and once the first cluster is up, its API would answer Unauthorized. Write role_arn, source_profile "
            "and external_id into a profile of the AWS configuration files, and name that in aws:profile instead",
        )


@_as_far_as_known
def _security_group_mistakes(settings: Settings) -> Iterator[Mistake]:
    ports = {
        (settings.load_balancer_of(name), route.target_type == "instance" or route.service.target_port)
        for name, route in settings.routes.items()
    }
    rules = len(ports) + 1  # by which EKS lets nodes and control plane talk
    if rules > MAX_SECURITY_RULES:
        yield Mistake(
            "CUT244",
            "routes",
            f"their pods have so many ports, by load balancer, that they make {rules} rules in the security group of "
            f"each cluster, which holds {MAX_SECURITY_RULES}. The update would stop halfway. Let more Services use one "
            "podPort",
        )


@_as_far_as_known
def _mesh_mistakes(settings: Settings) -> Iterator[Mistake]:
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
    meshes = {key: settings.mesh_name(key) for key in settings.clusters}
    for key, first in _alike(meshes):
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


def _alike(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield every key whose value an earlier key has already, and that earlier key."""
    keys = [key for key, value in values.items() if value is not UNKNOWN]
    for place, key in enumerate(keys):
        first = next((earlier for earlier in keys[:place] if values[earlier] == values[key]), None)
        if first is not None:
            yield key, first


def mistakes(settings: Settings) -> list[Mistake]:
    """Return everything that is wrong between fields, as far as they are known, in the order of the configuration."""
    rules = (
        _network_mistakes,
        _load_balancer_mistakes,
        _cluster_mistakes,
        _partition_mistakes,
        _login_mistakes,
        _security_group_mistakes,
        _name_mistakes,
        _joined_mistakes,
        _weight_mistakes,
        _rollout_mistakes,
        _route_mistakes,
        _discovery_mistakes,
        _mesh_mistakes,
    )
    return [mistake for rule in rules for mistake in rule(settings)]
