"""What a stack file may say: frozen models, whose field descriptions are the reference, and questions to the whole.

Refuses to own what a single value may be (fields.py) and rules over several keys (rules.py).
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag
from pydantic.alias_generators import to_camel

from settings.conditions import covers, meet, shared
from settings.fields import (
    MAX_PUBLIC_CIDRS,
    AccessPolicy,
    AccountId,
    AddonVersion,
    AssumableRoleArn,
    AttributeKey,
    AttributeValue,
    Capacity,
    CertificateArn,
    ChartVersion,
    CheckCode,
    CheckReason,
    Cidr,
    ClusterKey,
    ClusterName,
    DeregistrationDelay,
    DnsLabel,
    DomainName,
    ErrorRatio,
    ExternalId,
    Failures,
    HeaderName,
    Headroom,
    HealthCheckPath,
    HoldTime,
    HostPattern,
    InstanceTypes,
    Interval,
    LatencyRatio,
    LoadBalancerName,
    Matcher,
    MinHealthy,
    MinRequests,
    Name,
    NodeCount,
    NodeMinimum,
    PathPattern,
    Port,
    PreviewSecret,
    RecordName,
    Region,
    RestrictedCidr,
    RoleArn,
    RouteName,
    RoutePriority,
    RuleQuota,
    ServiceCidr,
    SessionName,
    Several,
    Share,
    SlowStart,
    SoakHours,
    StackName,
    StickinessDuration,
    SubnetId,
    Tags,
    Threshold,
    Timeout,
    Version,
    VpcCidr,
    VpcId,
    Weight,
)
from settings.owner import Owner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


NODE_PORTS = (30000, 32767)  # the API server's default range
_EVERYONE = ("0.0.0.0/0",)
_PARTITIONS = {  # by how the names of their regions begin
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}


def _edited(words: str) -> dict[str, JsonValue]:
    """Return, for the reference, what an edit of a key does that is not applied in place."""
    return {"edited": words}


class Model(BaseModel):
    """What all parts of the configuration share: frozen, camelCase in YAML, no key that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)


class AssumedRole(Model):
    """A role that the AWS provider assumes."""

    role_arn: AssumableRoleArn = Field(description="the role")
    session_name: SessionName | None = Field(default=None, description="how the session is named in CloudTrail")
    external_id: ExternalId | None = Field(
        default=None, description="refused here: an external id belongs into a profile"
    )


class DefaultTags(Model):
    """Tags of every resource."""

    tags: Tags = Field(description="tags of every resource that the stack makes")


class Aws(Model):
    """The ``aws:`` configuration, which the stack's one explicit provider is given."""

    region: Region = Field(description="the region, such as ap-northeast-1")
    profile: str | None = Field(default=None, description="a profile of the AWS configuration files")
    assume_roles: tuple[AssumedRole, ...] = Field(default=(), description="the role to assume")
    allowed_account_ids: Several[AccountId] = Field(default=(), description="refuse to run in any other account")
    default_tags: DefaultTags | None = Field(default=None, description="tags of every resource")

    @property
    def partition(self) -> str:
        """The partition of the region, as ARNs begin with it."""
        return next((name for begin, name in _PARTITIONS.items() if self.region.startswith(begin)), "aws")

    @property
    def login(self) -> tuple[str, ...]:
        """What `aws eks get-token` is given to log in to a cluster as whom the provider makes it."""
        profile = ("--profile", self.profile) if self.profile else ()
        return (*profile, *(word for role in self.assume_roles[-1:] for word in ("--role-arn", role.role_arn)))

    def provider_arguments(self, project: str, stack: str) -> dict[str, Any]:
        """Return the arguments of the explicit provider, which tags every resource with its project and stack."""
        own = self.default_tags.tags if self.default_tags else {}
        return {
            "region": self.region,
            "profile": self.profile,
            "assume_roles": [role.model_dump(by_alias=True, exclude_none=True) for role in self.assume_roles] or None,
            "allowed_account_ids": self.allowed_account_ids or None,
            "default_tags": {"tags": {**own, "pulumi:project": project, "pulumi:stack": stack}},
        }


class NewNetwork(Model):
    """A VPC of the stack's own, with a public and a private subnet in every zone."""

    cidr: VpcCidr = Field(
        description="the range of the VPC, /16 to /21; it cannot be changed later",
        json_schema_extra=_edited("replaces the VPC and all in it, which is refused while anything serves"),
    )
    zones: Several[str] = Field(
        min_length=2,
        max_length=6,
        description="2 to 6 availability zones, for good: another one replaces the nodes of every cluster",
        json_schema_extra=_edited("replaces the nodes of every cluster, which is refused while one serves"),
    )
    nat_gateways: Literal["single", "perZone"] = Field(
        default="single", description="one NAT gateway, in the first of the zones, or one in every zone"
    )


class ExistingNetwork(Model):
    """A VPC that was made elsewhere and is only read."""

    vpc_id: VpcId = Field(
        description="the VPC",
        json_schema_extra=_edited("replaces all that stands in it, which is refused while anything serves"),
    )
    public_subnet_ids: Several[SubnetId] = Field(default=(), description="subnets of internet-facing load balancers")
    private_subnet_ids: Several[SubnetId] = Field(
        min_length=2,
        description="subnets of nodes, control planes and internal load balancers",
        json_schema_extra=_edited("replaces the nodes of every cluster, which is refused while one serves"),
    )


Network = Annotated[
    Annotated[NewNetwork, Tag("new")] | Annotated[ExistingNetwork, Tag("existing")],
    Discriminator(lambda value: "existing" if isinstance(value, dict) and "vpcId" in value else "new"),
]


class Zone(Model):
    """A Route 53 hosted zone, and which one where there may be two of a name."""

    name: DomainName = Field(description="its name")
    private: bool = Field(description="the private zone of that name, not the public one")


NamedZone = Annotated[
    Annotated[DomainName, Tag("text")] | Annotated[Zone, Tag("map")],
    Discriminator(lambda value: "map" if isinstance(value, dict | Zone) else "text"),
]


class LoadBalancer(Model):
    """A load balancer that belongs to the stack, and the DNS names that point to it and never move."""

    scheme: Literal["internet-facing", "internal"] = Field(
        description="who can reach it",
        json_schema_extra=_edited("replaces the load balancer, which is refused while a live route lies on it"),
    )
    zone: NamedZone | None = Field(
        default=None,
        description="the Route 53 hosted zone of the names, which must exist: its name for a public one, else "
        "{name, private}",
        json_schema_extra=_edited("replaces the records; without names nothing reads it, which every run says"),
    )
    names: Several[RecordName] = Field(
        default=(),
        description="the names that are made to point to it",
        json_schema_extra=_edited("replaces the certificate that is made for them, the new one first"),
    )
    certificate_arn: CertificateArn | None = Field(
        default=None, description="an ACM certificate for HTTPS; without one, one is made for the names"
    )
    ingress_cidrs: Several[Cidr] | None = Field(
        default=None,
        min_length=1,
        description="who may connect; left out: everyone (internet-facing), or the new VPC (internal)",
    )
    deletion_protection: bool = Field(default=False, description="refuse its deletion, in AWS and in Pulumi")
    rule_quota: RuleQuota = Field(default=100, description="the account's quota of rules per load balancer")

    @property
    def hosted_zone(self) -> Zone | None:
        """The hosted zone: a public one, unless the file says otherwise."""
        return Zone(name=self.zone, private=False) if isinstance(self.zone, str) else self.zone

    @property
    def https(self) -> bool:
        """Whether there is, or can be, a certificate; without one the load balancer speaks plain HTTP."""
        return self.certificate_arn is not None or bool(self.names)


class Nodes(Model):
    """The managed node group of a cluster."""

    instance_types: InstanceTypes = Field(
        min_length=1,
        description="EC2 instance types; a change replaces the group",
        json_schema_extra=_edited("replaces the nodes, which is refused while the cluster serves"),
    )
    min_size: NodeMinimum = Field(
        description="the least number of nodes",
        json_schema_extra=_edited("in place; where there are fewer nodes, that many come"),
    )
    desired_size: NodeCount = Field(
        description="the number of nodes at the start, and again when it is edited; in between an autoscaler's",
        json_schema_extra=_edited(
            "gives that many nodes; where somebody has changed their number meanwhile, it takes none away, which the "
            "preview says"
        ),
    )
    max_size: NodeCount = Field(
        description="the greatest number of nodes",
        json_schema_extra=_edited("in place; where there are more nodes, the others go"),
    )
    operating_system: Literal["AL2023", "BOTTLEROCKET"] = Field(
        default="AL2023",
        description="the node image",
        json_schema_extra=_edited("replaces the nodes, which is refused while the cluster serves"),
    )
    capacity_type: Literal["ON_DEMAND", "SPOT"] = Field(
        default="ON_DEMAND",
        description="how the nodes are bought",
        json_schema_extra=_edited("replaces the nodes, which is refused while the cluster serves"),
    )

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The least, the desired and the greatest number of nodes."""
        return self.min_size, self.desired_size, self.max_size


class Addons(Model):
    """The EKS add-ons of a cluster, each pinned: an unpinned one updates unplanned."""

    vpc_cni: AddonVersion = Field(description="vpc-cni")
    kube_proxy: AddonVersion = Field(description="kube-proxy")
    pod_identity_agent: AddonVersion = Field(description="eks-pod-identity-agent")
    coredns: AddonVersion = Field(description="coredns")
    metrics_server: AddonVersion = Field(description="metrics-server")


class Controllers(Model):
    """Chart versions of what runs in the cluster."""

    load_balancer: ChartVersion = Field(description="chart aws-load-balancer-controller")
    app_mesh: ChartVersion | None = Field(
        default=None,
        description="chart appmesh-controller, for mesh.kind appMesh",
        json_schema_extra=_edited("in place; without a mesh nothing reads it, which every run says"),
    )


class Endpoint(Model):
    """Who reaches the Kubernetes API from outside the VPC."""

    public_cidrs: Several[RestrictedCidr] = Field(
        default=(),
        max_length=MAX_PUBLIC_CIDRS,
        description="ranges that reach the public endpoint; empty: private only",
    )


class AccessEntry(Model):
    """A principal that may use the Kubernetes API. The role that runs `pulumi up` is an administrator already."""

    principal_arn: RoleArn = Field(description="the IAM role or user", json_schema_extra=_edited("replaces the entry"))
    policies: Several[AccessPolicy] = Field(
        default=("AmazonEKSClusterAdminPolicy",), description="EKS access policies, cluster-wide"
    )


class Cluster(Model):
    """One EKS cluster. Clusters differ in this data only."""

    version: Version = Field(
        description="the Kubernetes version; a new version is a new key",
        json_schema_extra=_edited("refused: it would upgrade the cluster in place"),
    )
    nodes: Nodes = Field(description="its nodes")
    addons: Addons = Field(description="its add-ons")
    controllers: Controllers = Field(description="its controllers")
    endpoint: Endpoint = Field(default=Endpoint(), description="its API endpoint")
    access_entries: dict[Name, AccessEntry] = Field(default={}, description="who may use its API")
    log_types: Several[Literal["api", "audit", "authenticator", "controllerManager", "scheduler"]] = Field(
        default=("api", "audit", "authenticator"), description="control-plane logs"
    )
    support_type: Literal["STANDARD", "EXTENDED"] = Field(
        default="EXTENDED",
        description="under STANDARD EKS upgrades the cluster by itself when standard support ends",
    )
    deletion_protection: bool = Field(default=False, description="refuse its deletion, in AWS and in Pulumi")
    service_cidr: ServiceCidr | None = Field(
        default=None,
        description="the range of Services; left out: EKS chooses; it cannot be changed later",
        json_schema_extra=_edited(
            "replaces the cluster, which is refused while it serves; left out later, it changes nothing, which the "
            "preview says"
        ),
    )
    name: ClusterName | None = Field(
        default=None,
        description="its name in EKS, unique in account and region; left out: <stack>-<cluster>; to change it, add a "
        "new cluster",
        json_schema_extra=_edited("replaces the cluster, which is refused while it serves"),
    )
    mesh_name: DnsLabel | None = Field(
        default=None,
        description="the name of its App Mesh mesh; left out: its name in EKS",
        json_schema_extra=_edited("replaces the mesh; without one nothing reads it, which every run says"),
    )


class Service(Model):
    """The Kubernetes Service behind a route."""

    namespace: DnsLabel = Field(
        description="its namespace",
        json_schema_extra=_edited(
            "replaces the binding, which is refused while it serves; the old namespace stays in the clusters"
        ),
    )
    name: DnsLabel = Field(description="its name")
    port: Port = Field(description="its port")
    pod_port: Port | None = Field(
        default=None, description="the port of the pods, for targetType ip; left out: the Service's port"
    )

    @property
    def target_port(self) -> int:
        """The port on which a pod is reached."""
        return self.pod_port or self.port


class HealthCheck(Model):
    """How the load balancer finds out that a target is healthy."""

    path: HealthCheckPath = Field(description="the path, or for GRPC the method, that is asked")
    matcher: Matcher | None = Field(default=None, description='codes that count; left out: "200", for GRPC "0"')
    interval: Interval = Field(default=15, description="seconds between two checks, 5 to 300")
    timeout: Timeout = Field(default=5, description="seconds until a check has failed, 2 to 120, below the interval")
    healthy_threshold: Threshold = Field(default=2, description="checks that must pass, 2 to 10")
    unhealthy_threshold: Threshold = Field(default=2, description="checks that must fail, 2 to 10")


class Stickiness(Model):
    """Keeps a client at the cluster that it met first, against the weights, until the cookie ends."""

    duration: StickinessDuration = Field(
        description="seconds, 1 to 604800; an old cluster must stay that long after its weight reached 0"
    )


class Route(Model):
    """Hosts and paths on a load balancer, and the Service behind them in every cluster."""

    load_balancer: LoadBalancerName | None = Field(
        default=None, description="which load balancer; left out where there is one"
    )
    priority: RoutePriority = Field(description="the order among routes, 1 first")
    hosts: Several[HostPattern] = Field(default=(), description="host names, * and ? allowed")
    paths: Several[PathPattern] = Field(default=(), description="paths, * and ? allowed")
    target_type: Literal["instance", "ip"] = Field(
        description="register nodes (instance) or pods (ip); to change it, add a new route",
        json_schema_extra=_edited("replaces its target groups, which is refused while they serve"),
    )
    protocol_version: Literal["HTTP1", "HTTP2", "GRPC"] = Field(
        default="HTTP1",
        description="what the targets speak; to change it, add a new route",
        json_schema_extra=_edited("replaces its target groups, which is refused while they serve"),
    )
    service: Service = Field(description="the Service behind it")
    health_check: HealthCheck = Field(description="its health check")
    deregistration_delay: DeregistrationDelay = Field(
        default=300, description="seconds that a leaving target may finish its requests, 0 to 3600"
    )
    slow_start: SlowStart = Field(default=0, description="seconds in which a new target's load grows; 0: off")
    algorithm: Literal["round_robin", "least_outstanding_requests", "weighted_random"] = Field(
        default="round_robin", description="how targets of one group share its load"
    )
    stickiness: Stickiness | None = Field(default=None, description="left out: off")
    capacity: Capacity | None = Field(
        default=None, description="healthy targets that the whole route needs; left out: what they have carried tells"
    )
    weights: dict[ClusterKey, Weight] | None = Field(
        default=None, description="weights of this route alone, in place of the stack's"
    )
    live: bool = Field(
        default=True, description="false keeps a new route to its preview rules until its targets are healthy"
    )


class Override(Model):
    """Lets exactly these weights, or these removals, through the gate. It is announced at each use."""

    weights: dict[ClusterKey, Weight] = Field(default={}, description="weights that pass whatever the gate says")
    remove_routes: tuple[Name, ...] = Field(default=(), description="routes whose weighted rule may be deleted")
    reason: str = Field(description="why; it is shown at each use")


class Gate(Model):
    """When a cluster is healthy enough for the share that it is to get."""

    min_healthy: MinHealthy = Field(default=2, description="healthy targets that any share needs")
    headroom: Headroom = Field(
        default=1.2, description="how much more than new targets get others must have carried, 1 or more"
    )
    override: Override | None = Field(default=None, description="what passes although the gate refuses it")


class RolloutMetrics(Model):
    """By which numbers a step of a promotion is judged: the new cluster's against those of the old ones."""

    max_error_ratio: ErrorRatio = Field(
        default=0.01, description="how much larger the new cluster's share of failed requests may be, 0 to below 1"
    )
    max_latency_ratio: LatencyRatio = Field(
        default=1.5, description="times the old clusters' p99 that the new one's may be, 1 or more"
    )
    min_requests: MinRequests = Field(
        default=200, description="requests to the new cluster, per route, below which nothing is judged"
    )
    failures: Failures = Field(default=2, description="judgements of one step that must fail until it is rolled back")


class Rollout(Model):
    """The steps in which `cutover promote` brings a cluster to all of the traffic."""

    steps: Several[Share] = Field(
        default=(1, 10, 50, 100), min_length=1, description="percent of the traffic, rising, 100 last"
    )
    hold: HoldTime = Field(default=300, description="seconds at a step before it is judged, 180 to 86400")
    metrics: RolloutMetrics = Field(default=RolloutMetrics(), description="by which numbers a step is judged")


class Retirement(Model):
    """When a cluster that does not serve may be taken away."""

    soak_hours: SoakHours = Field(
        default=24,
        description="hours at weight 0 and without a request, 0 to 720; never less than a route's stickiness and delay",
    )


class Checks(Model):
    """Which checks of `cutover status KEY` may fail in this stack."""

    ignore: dict[CheckCode, CheckReason] = Field(
        default={}, description="by the code of a check (docs/checks.md), why it may fail: shown wherever it does"
    )


class Preview(Model):
    """How a request asks for one cluster, whatever the weights say."""

    header: HeaderName = Field(default="X-Cutover-Cluster", description="the header; its value is a cluster's key")
    secret: PreviewSecret | None = Field(
        default=None, description="appended to the value as KEY.SECRET, so that strangers cannot ask"
    )
    source_cidrs: Several[Cidr] = Field(default=(), description="who may ask; empty: everyone")


class VirtualNode(Model):
    """The pods of a Cloud Map service, as the mesh sees them."""

    namespace: DnsLabel = Field(description="their namespace", json_schema_extra=_edited("replaces the virtual node"))
    pod_labels: dict[str, str] = Field(min_length=1, description="the labels that select them")
    port: Port = Field(description="the port that they listen on")
    protocol: Literal["http", "http2", "grpc", "tcp"] = Field(description="what they speak")


class CloudMapService(Model):
    """A Cloud Map service in the shared namespace; no controller owns it."""

    virtual_node: VirtualNode | None = Field(default=None, description="its pods, for mesh.kind appMesh")


class ServiceDiscovery(Model):
    """The Cloud Map namespace that all clusters share."""

    namespace: DomainName = Field(
        description="its name, unique in account and region; a private DNS name in the VPC",
        json_schema_extra=_edited("replaces it, without its instances"),
    )
    services: dict[Name, CloudMapService] = Field(default={}, description="its services")
    attributes: dict[AttributeKey, AttributeValue] = Field(
        default={},
        description="attributes of every instance, beside ver (the cluster's key); env is the stack unless given here",
        json_schema_extra=_edited("replaces the virtual nodes, one after the other"),
    )


class Mesh(Model):
    """The service mesh inside the clusters."""

    kind: Literal["appMesh", "none"] = Field(default="none", description="AWS App Mesh, which ended on 2026-09-30")


_APP_MESH_ENDED = (
    "mesh.kind is appMesh, and AWS ended App Mesh on 2026-09-30: its API may answer no longer, and then this stack can "
    "change nothing in the mesh. Move the services to VPC Lattice or plain Cloud Map, then set mesh.kind to none."
)


class Settings(Model):
    """A whole stack file, checked. The keys are the project's own, but for its name, ``stack`` and ``aws``."""

    project: str
    stack: StackName
    aws: Aws
    network: Network = Field(description="a new VPC ({cidr, zones}) or an existing one ({vpcId, ...})")
    load_balancers: dict[LoadBalancerName, LoadBalancer] = Field(min_length=1, description="the load balancers by name")
    clusters: dict[ClusterKey, Cluster] = Field(min_length=1, description="the clusters by key, such as v1-36")
    weights: dict[ClusterKey, Weight] = Field(description="the share of every cluster, zeros included")
    routes: dict[RouteName, Route] = Field(default={}, description="the routes by name")
    gate: Gate = Field(default=Gate(), description="when a change of weights is refused")
    rollout: Rollout = Field(default=Rollout(), description="how a cluster is promoted step by step")
    retirement: Retirement = Field(default=Retirement(), description="when a cluster may be taken away")
    checks: Checks = Field(default=Checks(), description="which checks of a cluster may fail")
    preview: Preview = Field(default=Preview(), description="how a request asks for one cluster")
    existing_namespaces: Several[DnsLabel] = Field(
        default=(),
        description="Kubernetes namespaces that somebody else makes, and labels, in every cluster; default and kube-* "
        "are such without being named",
        json_schema_extra=_edited(
            "a namespace that the stack has made stays in the clusters, with its labels, and is nobody's then"
        ),
    )
    service_discovery: ServiceDiscovery | None = Field(default=None, description="the shared Cloud Map namespace")
    mesh: Mesh = Field(default=Mesh(), description="the service mesh")

    @property
    def owner(self) -> Owner:
        """Whose everything is that the stack makes."""
        return Owner(self.project, self.stack)

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
                f"clusters.{key}.controllers.appMesh" for key, one in self.clusters.items() if one.controllers.app_mesh
            ]
            for key in [
                *controllers,
                *(f"clusters.{key}.meshName" for key, one in self.clusters.items() if one.mesh_name),
            ]:
                yield f"{key} changes nothing: mesh.kind is none, and nothing else reads it."
        for key, balancer in self.load_balancers.items():
            if balancer.zone and not balancer.names:
                yield f"loadBalancers.{key}.zone changes nothing: there are no names to make in it."

    def _strange_hosts(self) -> Iterator[str]:
        for name, route in self.routes.items():
            key = self.load_balancer_of(name)
            balancer = self.load_balancers[key]
            strange = [host for host in route.hosts if not meet(host, balancer.names)]
            if balancer.names and strange:
                unsure = "" if balancer.certificate_arn else ", and the certificate made for them is not valid for it"
                yield (
                    f"The route {name} has the host {', '.join(strange)}, which loadBalancers.{key}.names has not. No "
                    f"record that is made here leads to it{unsure}. Add it to the names, unless a record, or something "
                    "in front, that is kept elsewhere brings its requests."
                )

    def _shared_requests(self) -> Iterator[str]:
        in_order = sorted(self.routes, key=lambda name: self.routes[name].priority)
        for first, other in combinations(in_order, 2):
            one, two = self.routes[first], self.routes[other]
            if self.load_balancer_of(first) != self.load_balancer_of(other) or covers(two, one):
                continue  # where the later one takes whatever the first leaves, the order is the point
            if both := shared(one, two):
                yield (
                    f"The routes {first} and {other} both match {both}. Such requests go to {first}, whose priority "
                    f"{one.priority} comes before {two.priority}."
                )

    def ingress_cidrs(self, load_balancer: str) -> tuple[str, ...]:
        """Return who may connect to a load balancer: whom it names, else everyone, or for an internal one the VPC."""
        wanted = self.load_balancers[load_balancer]
        if wanted.ingress_cidrs is not None:
            return wanted.ingress_cidrs
        return (
            (self.network.cidr,) if wanted.scheme == "internal" and isinstance(self.network, NewNetwork) else _EVERYONE
        )

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
        return self.routes[route].load_balancer or next(iter(self.load_balancers))

    def eks_name(self, cluster: str) -> str:
        """Return the name of a cluster in EKS, unique in account and region; one that is not in the file has no own."""
        own = self.clusters[cluster].name if cluster in self.clusters else None
        return own or f"{self.stack}-{cluster}"

    def mesh_name(self, cluster: str) -> str:
        """Return the name of the cluster's mesh: one name in two clusters would be adopted, silently, by both."""
        return self.clusters[cluster].mesh_name or self.eks_name(cluster)

    def attributes(self, cluster: str) -> dict[str, str]:
        """Return the Cloud Map attributes of a cluster's instances: ``ver``, ``env`` and the user's own."""
        own = self.service_discovery.attributes if self.service_discovery else {}
        return {"ver": cluster, "env": self.stack, **own}

    def target_ports(self, load_balancer: str, cluster: str) -> dict[tuple[int, int], bool]:
        """Return the (first, last) port ranges on which a load balancer reaches a cluster, and whether each serves."""
        ports: dict[tuple[int, int], bool] = {}
        for name, route in self.routes.items():
            if self.load_balancer_of(name) == load_balancer:
                pods = (route.service.target_port, route.service.target_port)
                reached = NODE_PORTS if route.target_type == "instance" else pods
                ports[reached] = ports.get(reached, False) or self.serves(name, cluster)
        return ports

    def carries(self, load_balancer: str) -> bool:
        """Tell whether a live route lies on a load balancer."""
        return any(route.live and self.load_balancer_of(name) == load_balancer for name, route in self.routes.items())

    def namespaces(self) -> dict[str, bool]:
        """Return the Kubernetes namespaces that the stack makes in every cluster, and whether each is in the mesh."""
        meshed = {node.namespace for node in self.virtual_nodes().values()}
        wanted = meshed | {route.service.namespace for route in self.routes.values()}
        own = wanted.difference(self.existing_namespaces, ["default"])
        return {name: name in meshed for name in sorted(own) if not name.startswith("kube-")}

    def virtual_nodes(self) -> dict[str, VirtualNode]:
        """Return the pods in the mesh by Cloud Map service; where there is no mesh, none may be described."""
        services = self.service_discovery.services if self.service_discovery else {}
        return {name: service.virtual_node for name, service in services.items() if service.virtual_node}
