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
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any, TypeVar

from cutover.aws import borders, way
from cutover.aws.previews import Previews
from cutover.aws.rights import RightsReads
from cutover.aws.session import Sessions
from cutover.calls import client, pages, threads, told, waiting
from cutover.inside import objects
from cutover.rules import parity
from cutover.rules.facts import Facts, Insight, Insights, Processors, Subnet
from cutover.rules.verdict import Unread, known
from settings.values import order_of, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor, Future
    from datetime import date

    import boto3

    from cutover.rules.account import Account
    from cutover.rules.borders import Borders
    from cutover.rules.rights import Rights
    from cutover.rules.support import Support
    from cutover.rules.verdict import Objects
    from cutover.rules.way import Way
    from settings import Settings
    from settings.nodes import Nodes

_T = TypeVar("_T")
_AT_ONCE = 20
_TYPES_PER_CALL = 100
_HARMLESS = ("GET", "HEAD")
_REFRESH_SECONDS, _POLL_SECONDS = 30, 2
# The instance families that share EC2's quota of "Standard" vCPU, and its code by how they are bought.
_STANDARD = {"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"}
_STANDARD_CODES = {"ON_DEMAND": "L-1216C47A", "SPOT": "L-34B43A08"}


def read(account: Account, aws: boto3.Session, key: str, support: Support, today: date) -> Facts:
    """Read what the preflight of the cluster ``key`` rests on."""
    settings, peer = account.settings, peer_of(account, key)
    reads, previews = Reads(aws, account, key), Previews(aws, account, key)
    with threads(_AT_ONCE) as pool:
        here = _inside(pool, reads.sessions, settings, key)
        there = _inside(pool, reads.sessions, settings, peer) if peer else None
        subnets = pool.submit(_seen, reads.subnets)
        limits, rules = pool.submit(_seen, reads.limits), pool.submit(_seen, reads.rules)
        processors = pool.submit(_seen, reads.processors)
        insights = pool.submit(_seen, lambda: reads.insights(peer) if peer else Insights((), fresh=True))
        answers = pool.submit(previews.answers)
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
