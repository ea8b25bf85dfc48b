"""What a stack file takes for granted in AWS and does not find there: hosted zones, zones and their ranges, add-ons.

Pure. Refuses to own what the file alone shows to be wrong (settings/), and what is asked of listeners (places.py) and
of a VPC that was made elsewhere (existing_network.py).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cutover.rules import apart, elsewhere, existing_network, given_roles, log_buckets, log_groups, places
from cutover.rules.places import Place
from settings.bindings import AUTO_MODE
from settings.network import NewNetwork
from settings.rules.mistake import Mistake
from settings.subnets import plan_subnets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from cutover.rules.apart import Standing
    from cutover.rules.existing_network import Subnet
    from cutover.rules.given_roles import GivenRole
    from cutover.rules.listener import Listener
    from cutover.rules.log_buckets import LogBucket
    from settings import Settings
    from settings.load_balancers import Zone


_SERVICE_RANGES = frozenset({"10.100.0.0/16", "172.20.0.0/16"})  # of which EKS chooses by itself


# Zones in which EKS places no control plane (user guide, network requirements), by their ids.
_WITHOUT_EKS = frozenset({"use1-az3", "usw1-az2", "cac1-az3"})


@dataclass(frozen=True)
class Ground:
    """What was asked and answered; what could not be read is left out.

    ``hosted`` has by load balancer and name whether each hosted zone of that name is private, ``zones`` the ids of the
    region's zones by name, ``subnets`` the ranges of the stack's subnets by zone, ``addons`` the versions that EKS has,
    by cluster that does not stand yet and add-on, ``entries`` the (cluster, name) of access entries that EKS has and
    this stack has not made, ``callers`` those of who runs this, in clusters that do not stand yet, ``ranges`` the range
    of Services by cluster, ``places`` what stands on listeners, by load balancer and priority, ``given`` the subnets of
    a VPC that was made elsewhere, by id, ``elsewhere`` the listeners of load balancers that were made elsewhere,
    ``standing`` each cluster that was to exist, None where one does not, ``account`` that of the stack, where one may
    be in another, ``buckets`` those for logs, ``log_groups`` has by cluster whether a stack made the one
    of its control plane that is there, ``roles`` are those that others made for clusters, by ARN, None for one that
    does not exist.
    """

    hosted: Mapping[tuple[str, str], Sequence[bool]] = field(default_factory=dict[tuple[str, str], "Sequence[bool]"])
    zones: Mapping[str, str] = field(default_factory=dict[str, str])
    subnets: Mapping[str, Sequence[str]] = field(default_factory=dict[str, "Sequence[str]"])
    addons: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict[tuple[str, str], "Sequence[str]"])
    entries: Collection[tuple[str, str]] = ()
    callers: Collection[tuple[str, str]] = ()
    ranges: Mapping[str, str] = field(default_factory=dict[str, str])
    places: Mapping[tuple[str, int], Place] = field(default_factory=dict[tuple[str, int], Place])
    given: Mapping[str, Subnet] | None = None
    standing: Mapping[str, Standing | None] = field(default_factory=dict[str, "Standing | None"])
    elsewhere: Mapping[str, Sequence[Listener]] = field(default_factory=dict[str, "Sequence[Listener]"])
    account: str = ""
    buckets: Mapping[str, LogBucket | None] = field(default_factory=dict[str, "LogBucket | None"])
    log_groups: Mapping[str, bool] = field(default_factory=dict[str, bool])
    roles: Mapping[str, GivenRole | None] = field(default_factory=dict[str, "GivenRole | None"])


def mistakes(settings: Settings, ground: Ground) -> list[Mistake]:
    """Return what the stack file takes for granted and AWS does not have, or has already."""
    rules = (_hosted_zones, _zones, _subnets, _addons, _entries, _absent, _automatic, apart.mistakes)
    found = [mistake for rule in rules for mistake in rule(settings, ground)]
    given = existing_network.mistakes(settings, ground.given)
    on_listeners = {**ground.places, **elsewhere.standing(settings, ground.elsewhere)}
    found += log_buckets.mistakes(settings, ground.buckets)
    found += log_groups.mistakes(settings, ground.log_groups)
    found += given_roles.mistakes(settings, ground.roles)
    found += [*given, *elsewhere.mistakes(settings, ground.elsewhere)]
    return [*found, *places.mistakes(settings, on_listeners)]


def _hosted_zones(settings: Settings, ground: Ground) -> Iterator[Mistake]:
    for key, balancer in settings.own_load_balancers.items():
        account = "the account of dns.assumeRole" if balancer.dns.assume_role else "this account"
        for place, zone in balancer.hosted_zones.items():
            kinds = ground.hosted.get((key, zone.name))
            if kinds is None:
                continue
            unsaid = balancer.scheme == "internal" and isinstance(balancer.written_zones[place], str)
            wrong = _wrong_zone(zone, kinds, account)
            if not wrong and unsaid and len(set(kinds)) > 1:
                wrong = _either(zone, account)
            if wrong:
                yield Mistake(wrong[0], f"loadBalancers.{key}.{place}", wrong[1])


def _wrong_zone(zone: Zone, kinds: Sequence[bool], account: str) -> tuple[str, str] | None:
    """Return code and text of what is wrong with a zone, of whose name there are zones of these kinds."""
    right = kinds.count(zone.private)
    if right > 1:
        return "CUT300", (
            f"{zone.name} is the name of {right} {_kind(zone.private)} hosted zones in {account}. The provider "
            "would not know which one is meant. Delete those that no registrar points to"
        )
    if not right and kinds:
        return "CUT301", (
            f"the hosted zone {zone.name} in {account} is {_kind(not zone.private)}. The records would be made "
            f"nowhere. Write {{name: {zone.name}, private: {'false' if zone.private else 'true'}}} if it is meant, "
            "or make the other"
        )
    if not right:
        return "CUT302", (
            f"{account} has no hosted zone {zone.name}. The records would be made nowhere. Correct the name, make "
            "the zone, or name a role of its account in dns.assumeRole"
        )
    return None


def _either(zone: Zone, account: str) -> tuple[str, str]:
    return "CUT303", (
        f"{account} has a public and a private hosted zone {zone.name}, and the load balancer is internal. "
        "Inside a VPC with the private one nobody would find names of the public one. Say which one is meant: "
        f"{{name: {zone.name}, private: true}}, or private: false"
    )


def _kind(private: bool) -> str:
    return "private" if private else "public"


def _zones(settings: Settings, ground: Ground) -> Iterator[Mistake]:
    if not isinstance(settings.network, NewNetwork) or not ground.zones:
        return
    for zone in settings.network.zones:
        if zone not in ground.zones:
            yield Mistake(
                "CUT304",
                "network.zones",
                f"this account has no zone {zone}. EC2 would refuse its subnets halfway through the update. Write some "
                f"of {', '.join(sorted(ground.zones))}",
            )
        elif ground.zones[zone] in _WITHOUT_EKS:
            yield Mistake(
                "CUT305",
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
                "CUT306",
                "network.zones",
                f"the ranges of {cut.zone} are those of {', '.join(held)}, whose subnets an older version of this "
                "program has cut otherwise. EC2 would refuse its subnets (InvalidSubnet.Conflict) halfway through the "
                "update. Write another zone",
            )


def _addons(settings: Settings, ground: Ground) -> Iterator[Mistake]:
    for (key, addon), versions in ground.addons.items():
        cluster = settings.own_clusters[key]
        wanted = cluster.addons.pinned[addon]
        if wanted not in versions:
            there = f"Write one of {', '.join(versions[:3])}" if versions else "There is none at all"
            yield Mistake(
                "CUT307",
                f"clusters.{key}.addons",
                f"{wanted} is no version of {addon} that EKS has for {cluster.version}. It would refuse the add-on "
                f"once the cluster is up. {there} (aws eks describe-addon-versions)",
            )


def _entries(settings: Settings, ground: Ground) -> Iterator[Mistake]:
    for key, cluster in settings.own_clusters.items():
        for name, entry in cluster.access_entries.items():
            if (key, name) in ground.entries:
                yield Mistake(
                    "CUT308",
                    f"clusters.{key}.accessEntries.{name}",
                    f"{entry.principal_arn} has an entry that this stack has not made, as who made the cluster has. "
                    "EKS would refuse a second one. Leave it out: whoever makes a cluster is its administrator",
                )


def _absent(settings: Settings, ground: Ground) -> Iterator[Mistake]:
    for key in (key for key, cluster in ground.standing.items() if cluster is None):
        yield Mistake(
            "CUT320",
            f"clusters.{key}.existing.name",
            f"{'the account of existing.assumeRole' if settings.clusters[key].role else 'this account'} has no cluster "
            f"{settings.eks_name(key)} in {settings.aws.region}. Nothing could be bound in it. Take a name of `aws eks "
            "list-clusters`, or name a role of its account in existing.assumeRole",
        )


def _automatic(settings: Settings, ground: Ground) -> Iterator[Mistake]:
    for key, cluster in ground.standing.items():
        wanted = settings.clusters[key].binding_api is AUTO_MODE
        if cluster and wanted and not cluster.automatic:
            yield Mistake(
                "CUT322",
                f"clusters.{key}.loadBalancerController.managedBy",
                f"autoMode, and EKS says that load balancing of Auto Mode is off in {settings.eks_name(key)}. Its API "
                "would know no such binding, or nobody would register its targets. Write external, or switch it on",
            )


def warnings(settings: Settings, ground: Ground) -> list[str]:
    """Return what is a mistake only if whoever previews this is who applies it, and what an edit does not do."""
    kept = [
        f"clusters.{key}.serviceCidr is left out, and {key} keeps {there}: EKS changes no cluster's range. Write it "
        "back, so that the file says what is so."
        for key, there in ground.ranges.items()
        if settings.own_clusters[key].service_cidr is None and there not in _SERVICE_RANGES
    ]
    return [
        *kept,
        *apart.warnings(settings, ground),
        *elsewhere.shadows(settings, ground.elsewhere),
        *(
            f"clusters.{key}.accessEntries.{name}: you are "
            f"{settings.own_clusters[key].access_entries[name].principal_arn}. If you make {key}, EKS makes you its "
            "administrator, and refuses this entry once the cluster is up: then leave it out. Where another role "
            "applies this, such as that of CI, it is right."
            for key, name in ground.callers
        ),
    ]
