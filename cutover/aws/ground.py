"""What a stack file takes for granted in AWS: hosted zones, zones and their ranges, add-ons, access entries.

Asked before the first resource of a preview, so that what is missing is told by its key, in one line, and not by a
provider after an hour, or by nobody where the engine has stopped at something else first. Where AWS does not answer in
time nothing is said, since the provider will. Refuses to own what the file alone shows to be wrong (settings/), and
what is asked of listeners (places.py) and of a VPC that was made elsewhere (existing_network.py).
"""

from __future__ import annotations

import ipaddress
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi
from botocore.exceptions import ClientError

from components.network import plan_subnets
from cutover.aws import existing_network, places
from cutover.aws.existing_network import Subnet
from cutover.aws.live import session
from cutover.aws.places import Place
from cutover.calls import OutsideError, at_once, client, pages, threads
from settings.models import NewNetwork
from settings.reading import refusal
from settings.rules import Mistake

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    import boto3

    from settings import Settings
    from settings.models import Cluster

_PATIENCE_SECONDS = 15.0
_AT_ONCE = 5
_SERVICE_RANGES = frozenset({"10.100.0.0/16", "172.20.0.0/16"})  # of which EKS chooses by itself
# Zones in which EKS places no control plane (user guide, network requirements), by their ids.
_WITHOUT_EKS = frozenset({"use1-az3", "usw1-az2", "cac1-az3"})


@dataclass(frozen=True)
class Ground:
    """What was asked and answered; what could not be read is left out.

    ``hosted`` has by name whether each hosted zone of that name is private, ``zones`` the ids of the region's zones by
    name, ``subnets`` the ranges of the stack's subnets by zone, ``addons`` the versions that EKS has, by cluster that
    does not stand yet and add-on, ``entries`` the (cluster, name) of access entries that EKS has and this stack has not
    made, ``callers`` those of who runs this, in clusters that do not stand yet, ``ranges`` the range of Services by
    cluster, ``places`` what stands on listeners, by load balancer and priority, ``given`` the subnets of a VPC that was
    made elsewhere, by id.
    """

    hosted: Mapping[str, Sequence[bool]] = field(default_factory=dict[str, "Sequence[bool]"])
    zones: Mapping[str, str] = field(default_factory=dict[str, str])
    subnets: Mapping[str, Sequence[str]] = field(default_factory=dict[str, "Sequence[str]"])
    addons: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict[tuple[str, str], "Sequence[str]"])
    entries: Collection[tuple[str, str]] = ()
    callers: Collection[tuple[str, str]] = ()
    ranges: Mapping[str, str] = field(default_factory=dict[str, str])
    places: Mapping[tuple[str, int], Place] = field(default_factory=dict[tuple[str, int], Place])
    given: Mapping[str, Subnet] | None = None


def mistakes(settings: Settings, ground: Ground) -> list[Mistake]:
    """Return what the stack file takes for granted and AWS does not have, or has already."""
    rules = (_hosted_zones, _zones, _subnets, _addons, _entries)
    found = [mistake for rule in rules for mistake in rule(settings, ground)]
    given = existing_network.mistakes(settings, ground.given)
    return [*found, *given, *places.mistakes(settings, ground.places)]


def _hosted_zones(settings: Settings, ground: Ground) -> Iterator[Mistake]:
    for key, balancer in settings.load_balancers.items():
        zone = balancer.hosted_zone
        if zone is None or zone.name not in ground.hosted:
            continue
        kinds = ground.hosted[zone.name]
        where, right = f"loadBalancers.{key}.zone", kinds.count(zone.private)
        if right > 1:
            yield Mistake(
                where,
                f"{zone.name} is the name of {right} {_kind(zone.private)} hosted zones in this account. The provider "
                "would not know which one is meant. Delete those that no registrar points to",
            )
        elif not right and kinds:
            yield Mistake(
                where,
                f"the hosted zone {zone.name} in this account is {_kind(not zone.private)}. The records would be made "
                f"nowhere. Write {{name: {zone.name}, private: {'false' if zone.private else 'true'}}} if it is meant, "
                "or make the other",
            )
        elif not right:
            yield Mistake(
                where,
                f"this account has no hosted zone {zone.name}. The records would be made nowhere. Correct the name, "
                "make the zone, or use the credentials of its account",
            )
        elif balancer.scheme == "internal" and isinstance(balancer.zone, str) and len(set(kinds)) > 1:
            yield Mistake(
                where,
                f"this account has a public and a private hosted zone {zone.name}, and the load balancer is internal. "
                "Inside a VPC with the private one nobody would find names of the public one. Say which one is meant: "
                f"{{name: {zone.name}, private: true}}, or private: false",
            )


def _kind(private: bool) -> str:
    return "private" if private else "public"


def _zones(settings: Settings, ground: Ground) -> Iterator[Mistake]:
    if not isinstance(settings.network, NewNetwork) or not ground.zones:
        return
    for zone in settings.network.zones:
        if zone not in ground.zones:
            yield Mistake(
                "network.zones",
                f"this account has no zone {zone}. EC2 would refuse its subnets halfway through the update. Write some "
                f"of {', '.join(sorted(ground.zones))}",
            )
        elif ground.zones[zone] in _WITHOUT_EKS:
            yield Mistake(
                "network.zones",
                f"{zone} is {ground.zones[zone]} in this account, where EKS has no control planes. It would refuse "
                "the first cluster. Write another zone",
            )


def _subnets(settings: Settings, ground: Ground) -> Iterator[Mistake]:
    if not isinstance(settings.network, NewNetwork):
        return
    for cut in plan_subnets(settings.network.cidr, settings.network.zones):
        wanted = [ipaddress.IPv4Network(text) for text in (cut.public, cut.private)]
        held = [
            zone
            for zone, ranges in ground.subnets.items()
            if any(one.overlaps(ipaddress.IPv4Network(text)) for text in ranges for one in wanted)
        ]
        if held and cut.zone not in ground.subnets:
            yield Mistake(
                "network.zones",
                f"the ranges of {cut.zone} are those of {', '.join(held)}, whose subnets an older version of this "
                "program has cut otherwise. EC2 would refuse its subnets (InvalidSubnet.Conflict) halfway through the "
                "update. Write another zone",
            )


def _addons(settings: Settings, ground: Ground) -> Iterator[Mistake]:
    for (key, addon), versions in ground.addons.items():
        cluster = settings.clusters[key]
        wanted = _pinned(cluster)[addon]
        if wanted not in versions:
            there = f"Write one of {', '.join(versions[:3])}" if versions else "There is none at all"
            yield Mistake(
                f"clusters.{key}.addons",
                f"{wanted} is no version of {addon} that EKS has for {cluster.version}. It would refuse the add-on "
                f"once the cluster is up. {there} (aws eks describe-addon-versions)",
            )


def _pinned(cluster: Cluster) -> dict[str, str]:
    """Return the versions of a cluster's add-ons, by EKS's names."""
    addons = cluster.addons
    return {
        "vpc-cni": addons.vpc_cni,
        "kube-proxy": addons.kube_proxy,
        "eks-pod-identity-agent": addons.pod_identity_agent,
        "coredns": addons.coredns,
        "metrics-server": addons.metrics_server,
    }


def _entries(settings: Settings, ground: Ground) -> Iterator[Mistake]:
    for key, cluster in settings.clusters.items():
        for name, entry in cluster.access_entries.items():
            if (key, name) in ground.entries:
                yield Mistake(
                    f"clusters.{key}.accessEntries.{name}",
                    f"{entry.principal_arn} has an entry that this stack has not made, as who made the cluster has. "
                    "EKS would refuse a second one. Leave it out: whoever makes a cluster is its administrator",
                )


def warnings(settings: Settings, ground: Ground) -> list[str]:
    """Return what is a mistake only if whoever previews this is who applies it, and what an edit does not do."""
    kept = [
        f"clusters.{key}.serviceCidr is left out, and {key} keeps {there}: EKS changes no cluster's range. Write it "
        "back, so that the file says what is so."
        for key, there in ground.ranges.items()
        if settings.clusters[key].service_cidr is None and there not in _SERVICE_RANGES
    ]
    return [
        *kept,
        *(
            f"clusters.{key}.accessEntries.{name}: you are "
            f"{settings.clusters[key].access_entries[name].principal_arn}. If you make {key}, EKS makes you its "
            "administrator, and refuses this entry once the cluster is up: then leave it out. Where another role "
            "applies this, such as that of CI, it is right."
            for key, name in ground.callers
        ),
    ]


def read(settings: Settings) -> Ground:
    """Ask AWS, all at once and for a short while; what cannot be read is left out."""
    try:
        account = session(settings.aws)
    except OutsideError:
        return Ground()
    asks: dict[str, Callable[[], Any]] = {
        "hosted": lambda: _read_hosted(settings, account),
        "zones": lambda: _read_zones(settings, account),
        "subnets": lambda: _read_subnets(settings, account),
        "addons": lambda: _read_addons(settings, account),
        "people": lambda: _read_entries(settings, account),
        "ranges": lambda: _read_ranges(settings, account),
        "places": lambda: places.read(settings, account),
        "given": lambda: existing_network.read(settings, account),
    }
    with threads(len(asks)) as pool:
        asked = {name: pool.submit(ask) for name, ask in asks.items()}
        done, _ = wait(asked.values(), timeout=_PATIENCE_SECONDS)
    answers = {name: one.result() for name, one in asked.items() if one in done and one.exception() is None}
    entries, callers = answers.pop("people", ((), ()))
    return Ground(**answers, entries=entries, callers=callers)


def _read_hosted(settings: Settings, account: boto3.Session) -> dict[str, list[bool]]:
    zones = (balancer.hosted_zone for balancer in settings.load_balancers.values())
    wanted = {zone.name for zone in zones if zone}
    found: dict[str, list[bool]] = {name: [] for name in wanted}
    if wanted:
        for zone in pages(client(account, "route53"), "list_hosted_zones", "HostedZones"):
            if (name := zone["Name"].rstrip(".")) in wanted:
                found[name].append(zone["Config"]["PrivateZone"])
    return found


def _read_zones(settings: Settings, account: boto3.Session) -> dict[str, str]:
    if not isinstance(settings.network, NewNetwork):
        return {}
    answer = client(account, "ec2").describe_availability_zones()
    return {zone["ZoneName"]: zone["ZoneId"] for zone in answer["AvailabilityZones"]}


def _read_subnets(settings: Settings, account: boto3.Session) -> dict[str, list[str]]:
    if not isinstance(settings.network, NewNetwork):
        return {}
    tags = {"pulumi:project": settings.project, "pulumi:stack": settings.stack}
    own = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    found: dict[str, list[str]] = {}
    for subnet in pages(client(account, "ec2"), "describe_subnets", "Subnets", Filters=own):
        found.setdefault(subnet["AvailabilityZone"], []).append(subnet["CidrBlock"])
    return found


def _read_addons(settings: Settings, account: boto3.Session) -> dict[tuple[str, str], list[str]]:
    eks = client(account, "eks")

    def versions(place: tuple[str, str]) -> list[str]:
        key, addon = place
        version = settings.clusters[key].version
        found = pages(eks, "describe_addon_versions", "addons", addonName=addon, kubernetesVersion=version)
        return [one["addonVersion"] for made in found for one in made["addonVersions"]]

    # EKS withdraws old versions, and a cluster that stands keeps its own.
    new = [key for key in settings.clusters if not _stands(eks, settings.eks_name(key))]
    places = [(key, addon) for key in new for addon in _pinned(settings.clusters[key])]
    return dict(zip(places, at_once(versions, places, _AT_ONCE), strict=True))


def _stands(eks: Any, cluster: str) -> bool:
    try:
        eks.describe_cluster(name=cluster)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return False
        raise
    return True


def _read_entries(
    settings: Settings, account: boto3.Session
) -> tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]]:
    """Return the access entries that EKS has and this stack has not made, and those of who asks."""
    wanted = {
        (key, name): entry.principal_arn
        for key, cluster in settings.clusters.items()
        for name, entry in cluster.access_entries.items()
    }
    if not wanted:
        return (), ()
    caller, eks = client(account, "sts").get_caller_identity()["Arn"], client(account, "eks")
    entries, callers = list[tuple[str, str]](), list[tuple[str, str]]()
    for (key, name), principal in wanted.items():
        cluster = settings.eks_name(key)
        if not _stands(eks, cluster):
            callers += [(key, name)] if is_principal(caller, principal) else []
            continue
        try:
            entry = eks.describe_access_entry(clusterName=cluster, principalArn=principal)["accessEntry"]
        except ClientError:
            continue
        if "pulumi:stack" not in entry.get("tags", {}):
            entries.append((key, name))
    return entries, callers


def _read_ranges(settings: Settings, account: boto3.Session) -> dict[str, str]:
    eks, found = client(account, "eks"), dict[str, str]()
    for key in settings.clusters:
        with suppress(ClientError):
            told = eks.describe_cluster(name=settings.eks_name(key))["cluster"].get("kubernetesNetworkConfig", {})
            if "serviceIpv4Cidr" in told:
                found[key] = told["serviceIpv4Cidr"]
    return found


def is_principal(caller: str, principal: str) -> bool:
    """Tell whether a caller, as STS names it, is a principal of IAM; a session does not tell the path of its role."""
    account, name = caller.split(":", 5)[4:]
    kind, *path = name.split("/")
    if kind != "assumed-role":
        return caller.replace(":sts:", ":iam:") == principal
    return principal.split(":")[4] == account and principal.rsplit("/", maxsplit=1)[-1] == path[0]


def check(settings: Settings) -> None:
    """End a preview whose stack file takes for granted what AWS does not have.

    :raises SettingsError: it does; nothing has been changed
    """
    if not pulumi.runtime.is_dry_run():
        return
    ground = read(settings)
    for text in warnings(settings, ground):
        pulumi.log.warn(text)
    if found := mistakes(settings, ground):
        raise refusal(found, settings)
