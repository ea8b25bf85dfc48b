"""What stands around a cluster in AWS: the reads of the preflight.

Owns how each fact is read, all at once, and that one which cannot be read stops no other. Refuses to judge
(preflight.py).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections import Counter
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any, TypeVar

import urllib3

from cutover.aws import borders, way
from cutover.aws.rights import RightsReads
from cutover.aws.session import Sessions
from cutover.calls import at_once, client, pages, threads, told, waiting
from cutover.inside import objects
from cutover.rules import parity
from cutover.rules.facts import Answer, Facts, Insight, Insights, Processors, Subnet
from cutover.rules.giver import listener_of
from cutover.rules.verdict import Unread, known
from cutover.web import connections, reason
from settings.values import order_of, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor, Future
    from datetime import date

    import boto3

    from cutover.rules.account import Account
    from cutover.rules.borders import Borders
    from cutover.rules.listener import Listener
    from cutover.rules.rights import Rights
    from cutover.rules.support import Support
    from cutover.rules.verdict import Objects
    from cutover.rules.way import Way
    from settings import Settings
    from settings.nodes import Nodes
    from settings.routes import Route

_T = TypeVar("_T")
_AT_ONCE = 20
_TYPES_PER_CALL = 100
_HARMLESS = ("GET", "HEAD")
_OF_A_LOGIN = (302, 401)  # which the load balancer answers whom it does not know
_REFRESH_SECONDS, _POLL_SECONDS = 30, 2
# The instance families that share EC2's quota of "Standard" vCPU, and its code by how they are bought.
_STANDARD = {"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"}
_STANDARD_CODES = {"ON_DEMAND": "L-1216C47A", "SPOT": "L-34B43A08"}


def read(account: Account, aws: boto3.Session, key: str, support: Support, today: date) -> Facts:
    """Read what the preflight of the cluster ``key`` rests on."""
    settings, peer = account.settings, peer_of(account, key)
    reads = Reads(aws, account, key)
    with threads(_AT_ONCE) as pool:
        here = _inside(pool, reads.sessions, settings, key)
        there = _inside(pool, reads.sessions, settings, peer) if peer else None
        subnets = pool.submit(_seen, reads.subnets)
        limits, rules = pool.submit(_seen, reads.limits), pool.submit(_seen, reads.rules)
        processors = pool.submit(_seen, reads.processors)
        insights = pool.submit(_seen, lambda: reads.insights(peer) if peer else Insights((), fresh=True))
        answers = pool.submit(reads.answers)
        leads = pool.submit(_seen, reads.way)
        rights = pool.submit(_seen, reads.rights)
        crossed = pool.submit(_seen, lambda: reads.borders(leads.result()))
        inside = here.result()
        trusted = pool.submit(_seen, lambda: reads.trusted(set(parity.named_roles(inside).values())))
        return Facts(
            account=account,
            key=key,
            peer=peer,
            today=today,
            subnets=subnets.result(),
            limits=limits.result(),
            rules=rules.result(),
            processors=processors.result(),
            insights=insights.result(),
            support=support,
            here=inside,
            there=there.result() if there else {},
            trusted=trusted.result(),
            cli=_cli(),
            answers=answers.result(),
            way=leads.result(),
            borders=crossed.result(),
            rights=rights.result(),
        )


def _inside(pool: Executor, sessions: Sessions, settings: Settings, key: str) -> Future[Objects]:
    return pool.submit(objects.read, sessions.of(key), settings.eks_name(key), settings.clusters[key].binding_api)


def peer_of(account: Account, key: str) -> str | None:
    """Return the cluster that a cluster is compared with: of the others, the one with the most live weight."""
    settings, taken = account.settings, Counter[str](dict.fromkeys(account.settings.clusters, 0))
    for rule in account.found.rules.values():
        for arn, weight in rule.weights.items():
            if arn in account.found.groups:
                taken[account.found.groups[arn].cluster] += weight
    others = [cluster for cluster in settings.clusters if cluster != key]
    return max(others, key=lambda cluster: (taken[cluster], order_of(cluster)), default=None)


def headers_of(route: Route) -> dict[str, str]:
    """Return the headers that a route asks for, of each one value that it takes."""
    return {name: values[0].replace("*", "").replace("?", "x") for name, values in route.headers.items()}


def asked_of(route: Route, names: Sequence[str]) -> tuple[str, str]:
    """Return a host (empty: any) and a path with query that a route serves; ``names`` are of its load balancer."""
    host = next(iter(route.hosts or names), "").replace("*", "preview").replace("?", "x")
    check, query = route.health_check.path, ""
    for one in route.query[:1]:
        query = f"{one.key or 'preview'}={one.value}".replace("*", "").replace("?", "x")
    if route.paths and not any(fnmatchcase(check, path) for path in route.paths):
        check = route.paths[0].replace("*", "").replace("?", "x")
    return host, f"{check}{'&' if '?' in check else '?'}{query}" if query else check


def _seen(ask: Callable[[], _T]) -> _T | Unread:
    try:
        return ask()
    except Unread as why:
        return why
    except Exception as error:
        return Unread(told(error))


class Reads:
    """The reads around one cluster. Its clients are made at once: a session must not make them in several threads."""

    def __init__(self, aws: boto3.Session, account: Account, key: str) -> None:
        self._account, self._settings, self._key = account, account.settings, key
        self._name = account.settings.eks_name(key)
        self.sessions = Sessions(account.settings, aws)
        there = self.sessions.of(key)
        self._ec2: Any = client(there, "ec2")
        both = {key, peer_of(account, key) or key}
        self._eks: dict[str, Any] = {one: client(self.sessions.of(one), "eks") for one in both}
        self._elb: Any = client(aws, "elbv2")
        self._own_ec2: Any = client(aws, "ec2")
        self._iam: Any = client(there, "iam")
        self._rights = RightsReads(aws)
        self._quotas: Any = client(there, "service-quotas")

    def subnets(self) -> Sequence[Subnet]:
        """Return the subnets in which EKS placed the cluster, where its nodes and pods are too."""
        cluster = self._eks[self._key].describe_cluster(name=self._name)["cluster"]
        ids = cluster["resourcesVpcConfig"]["subnetIds"]
        interfaces = pages(
            self._ec2,
            "describe_network_interfaces",
            "NetworkInterfaces",
            Filters=[{"Name": "subnet-id", "Values": ids}],
        )
        return [
            _subnet(subnet, [one for one in interfaces if one["SubnetId"] == subnet["SubnetId"]])
            for subnet in self._ec2.describe_subnets(SubnetIds=ids)["Subnets"]
        ]

    def way(self) -> Way:
        """Return who is registered, and which security groups are on the way there."""
        network = self._eks[self._key].describe_cluster(name=self._name)["cluster"]["resourcesVpcConfig"]
        return way.read(self._account, self._key, network["vpcId"], (self._elb, self._own_ec2), self._ec2)

    def borders(self, found: Way | Unread) -> Borders:
        """Return the subnets at both ends of a way."""
        return borders.read(known(found), self._own_ec2, self._ec2)

    def rights(self) -> Rights:
        """Return what IAM says that who asks may do of a rollback."""
        owner, rules = self._settings.owner, sorted(rule.arn for rule in self._account.found.rules.values())
        tags = self._settings.aws.tags(owner.project, owner.stack)
        return self._rights.read(owner, tags, rules, self._settings.user_pools)

    def limits(self) -> Mapping[str, int]:
        """Return ELB's quotas as it applies them to this account, by its own names."""
        told = pages(self._elb, "describe_account_limits", "Limits")
        return {limit["Name"]: int(limit["Max"]) for limit in told}

    def rules(self) -> Mapping[str, int]:
        """Return the number of rules, default ones apart, by load balancer ARN."""
        counts = Counter[str]()
        for balancer in {rule.load_balancer for rule in self._account.found.rules.values()}:
            for listener in pages(self._elb, "describe_listeners", "Listeners", LoadBalancerArn=balancer):
                rules = pages(self._elb, "describe_rules", "Rules", ListenerArn=listener["ListenerArn"])
                counts[balancer] += sum(not rule["IsDefault"] for rule in rules)
        return counts

    def processors(self) -> Sequence[Processors]:
        """Return the vCPU of all Standard instances that are bought as the cluster's are, and their quotas."""
        if self._key not in self._settings.own_clusters:
            raise Unread(f"the nodes of {self._key} are its maker's")
        groups = self._settings.own_clusters[self._key].node_groups.values()
        types = {one for nodes in groups for one in nodes.instance_types}
        if strange := sorted(one for one in types if _family(one) not in _STANDARD):
            raise Unread(f"{', '.join(strange)} has a quota of its own", "Look it up in Service Quotas")
        bought = sorted({nodes.capacity_type for nodes in groups})
        return [self._quota(how, [nodes for nodes in groups if nodes.capacity_type == how]) for how in bought]

    def _quota(self, bought: str, groups: Sequence[Nodes]) -> Processors:
        code, spot = _STANDARD_CODES[bought], bought == "SPOT"
        running = [
            instance
            for reservation in pages(
                self._ec2,
                "describe_instances",
                "Reservations",
                Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}],
            )
            for instance in reservation["Instances"]
            if _family(instance["InstanceType"]) in _STANDARD and (instance.get("InstanceLifecycle") == "spot") is spot
        ]
        types = {one for nodes in groups for one in nodes.instance_types}
        sizes = self._sizes({instance["InstanceType"] for instance in running} | types)
        greatest = [max(sizes[one] for one in nodes.instance_types) for nodes in groups]
        own = {"Key": "eks:cluster-name", "Value": self._name}
        quota = self._quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]
        return Processors(
            code=code,
            limit=int(quota["Value"]),
            used=sum(sizes[instance["InstanceType"]] for instance in running),
            own=sum(sizes[instance["InstanceType"]] for instance in running if own in instance.get("Tags", [])),
            most=sum(nodes.max_size for nodes in groups),
            full=sum(nodes.max_size * size for nodes, size in zip(groups, greatest, strict=True)),
            per_node=max(greatest),
        )

    def insights(self, peer: str) -> Insights:
        """Return what EKS finds in the peer for each version after its own, up to that of the cluster."""
        theirs, ours = self._minor(peer), self._minor(self._key)
        versions = [f"1.{minor}" for minor in range(theirs + 1, ours + 1)]
        if not versions:
            return Insights((), fresh=True)
        name = self._settings.eks_name(peer)
        eks = self._eks[peer]
        fresh = self._looked_anew(eks, name)
        wanted = {"categories": ["UPGRADE_READINESS"], "kubernetesVersions": versions}
        found = pages(eks, "list_insights", "insights", clusterName=name, filter=wanted)
        return Insights([self._insight(eks, name, one) for one in found], fresh)

    def _minor(self, key: str) -> int:
        """Return the minor version of a cluster; one that others made is asked for its own."""
        if key in self._settings.own_clusters:
            return version_of(key)[1]
        version = self._eks[key].describe_cluster(name=self._settings.eks_name(key))["cluster"]["version"]
        return int(version.split(".")[1])

    def trusted(self, roles: set[str]) -> Mapping[str, bool]:
        """Tell of IAM roles whether their trust policies name the cluster's token issuer."""
        if not roles:
            return {}
        cluster = self._eks[self._key].describe_cluster(name=self._name)["cluster"]
        issuer = cluster.get("identity", {}).get("oidc", {}).get("issuer", "").removeprefix("https://")
        if not issuer:
            raise Unread(f"EKS tells no token issuer of {self._name}")
        policies = {
            role: self._iam.get_role(RoleName=role.rsplit("/", 1)[-1])["Role"]["AssumeRolePolicyDocument"]
            for role in sorted(roles)
        }
        return {role: issuer in json.dumps(policy) for role, policy in policies.items()}

    def answers(self) -> Sequence[Answer]:
        """Ask once through the preview rule of every route."""
        return at_once(self._ask, self._settings.routes, _AT_ONCE)

    def _sizes(self, types: set[str]) -> Mapping[str, int]:
        every, sizes = sorted(types), dict[str, int]()
        for first in range(0, len(every), _TYPES_PER_CALL):
            asked = self._ec2.describe_instance_types(InstanceTypes=every[first : first + _TYPES_PER_CALL])
            sizes |= {one["InstanceType"]: one["VCpuInfo"]["DefaultVCpus"] for one in asked["InstanceTypes"]}
        return sizes

    def _looked_anew(self, eks: Any, name: str) -> bool:
        """Let EKS look again, and tell whether it has finished soon enough to wait for."""
        try:
            eks.start_insights_refresh(clusterName=name)
            with waiting(f"EKS, which looks at {name} anew"):
                for _ in range(_REFRESH_SECONDS // _POLL_SECONDS):
                    status = eks.describe_insights_refresh(clusterName=name)["status"]
                    if status != "IN_PROGRESS":
                        return status == "COMPLETED"
                    time.sleep(_POLL_SECONDS)
        except Exception:  # who may read may not be allowed to start one
            return False
        return False

    def _insight(self, eks: Any, name: str, one: Mapping[str, Any]) -> Insight:
        status = one["insightStatus"]["status"]
        about = {"version": one["kubernetesVersion"], "name": one["name"], "status": status}
        if status == "PASSING":
            return Insight(**about)
        detail = eks.describe_insight(clusterName=name, id=one["id"])["insight"]
        deprecations = detail.get("categorySpecificSummary", {}).get("deprecationDetails", [])
        return Insight(**about, deprecated=bool(deprecations), recommendation=detail.get("recommendation", ""))

    def _ask(self, route: str) -> Answer:
        balancer, wanted = self._settings.load_balancer_of(route), self._settings.routes[route]
        theirs = listener_of(self._settings, self._account.found, route)
        https = theirs.protocol == "HTTPS" if theirs else self._settings.load_balancers[balancer].https
        host, path = asked_of(wanted, self._settings.load_balancers[balancer].names)
        header, value = self._settings.preview.header, self._key
        secret = self._settings.preview.secret
        shown = f"{value}.SECRET" if secret else value
        if wanted.protocol_version == "GRPC":
            cure = f"Ask yourself: grpcurl -H '{header}: {shown}' {host}:443 list"
            return Answer(route, f"grpc://{host}{path}", Unread("gRPC is not spoken here", cure))
        method = next((one for one in _HARMLESS if one in (wanted.methods or _HARMLESS)), "")
        if not method:
            cure = f"Ask yourself, with a request that does no harm and the header {header}: {value}"
            return Answer(
                route, path, Unread(f"it takes {', '.join(wanted.methods)} alone, which may change data", cure)
            )
        if secret:
            value += f".{secret.get_secret_value()}"
        dns_name = _seen(lambda: self._dns_name(balancer, theirs))
        if isinstance(dns_name, Unread):
            return Answer(route, path, dns_name)
        scheme, named = "https" if https else "http", host or dns_name
        at = f":{theirs.port}" if theirs else ""
        asked, url = f"{scheme}://{named}{at}{path}", f"{scheme}://{dns_name}{at}{path}"
        # The certificate is that of the host, and not of the load balancer's own name.
        tls = {"server_hostname": named, "assert_hostname": host or False} if https else {}
        try:
            with waiting(asked):
                headers = {**headers_of(wanted), "Host": named, header: value}
                answer = connections(url, **tls).request(method, url, headers=headers, redirect=False, retries=False)
        except urllib3.exceptions.SSLError as error:
            return Answer(route, asked, Unread(reason(error)), untrusted=True)
        except Exception as error:
            return Answer(route, asked, Unread(told(error), "Run this where the load balancer can be reached"))
        return Answer(route, asked, _beyond_the_login(wanted, answer.status, f"{header}: {shown}"))

    def _dns_name(self, balancer: str, theirs: Listener | None) -> str:
        own = [
            rule.load_balancer
            for route, rule in self._account.found.rules.items()
            if route in self._settings.routes and self._settings.load_balancer_of(route) == balancer
        ]
        for arn in [theirs.load_balancer] if theirs else own[:1]:
            return self._elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["DNSName"]
        raise Unread(f"no route of the load balancer {balancer} is live", "Make one live first")


def _beyond_the_login(route: Route, status: int, header: str) -> int | Unread:
    """Return the status with which a cluster has answered, or why none has: the load balancer asks who that is."""
    if not (route.authenticate and route.authenticate.keeps_out and status in _OF_A_LOGIN):
        return status
    cure = f"Look with a browser that has logged in, and with the header {header}"
    return Unread(f"answered with {status} by the login, not by a cluster", cure)


def _subnet(subnet: Mapping[str, Any], interfaces: Sequence[Mapping[str, Any]]) -> Subnet:
    return Subnet(
        id=subnet["SubnetId"],
        zone=subnet["AvailabilityZone"],
        cidr=IPv4Network(subnet["CidrBlock"]),
        free=subnet["AvailableIpAddressCount"],
        used=[IPv4Address(own["PrivateIpAddress"]) for one in interfaces for own in one.get("PrivateIpAddresses", [])],
        prefixes=[IPv4Network(own["Ipv4Prefix"]) for one in interfaces for own in one.get("Ipv4Prefixes", [])],
    )


def _family(instance_type: str) -> str:
    """Return the letters of an instance family: m of m7i.large, im of im4gn.large."""
    letters = re.match(r"[a-z]+", instance_type)
    return letters[0] if letters else ""


def _cli() -> str:
    if shutil.which("aws") is None:
        return ""
    with waiting("aws --version"):
        ran = subprocess.run(["aws", "--version"], capture_output=True, check=False)
    return (ran.stdout or ran.stderr).decode(errors="replace").strip()
