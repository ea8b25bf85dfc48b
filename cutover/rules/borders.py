"""Whether the subnets of a load balancer and of its targets let requests out and in, and answers back.

Pure. Owns what a route table and a network ACL say of one address. Refuses to own the reads (cutover/aws/borders.py),
security groups (way.py), and what no subnet tells: the route tables of a transit gateway, and firewalls between.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from cutover.rules.check import Check
from cutover.rules.verdict import Unread, Verdict, known, some

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cutover.rules.check import Judged
    from cutover.rules.facts import Facts
    from cutover.rules.way import Target

_TCP = {"6", "-1"}
_ANSWERS = range(1024, 65536)  # the ports from which a load balancer asks, as AWS's page on its network ACLs has them
_ASKING = f"{_ANSWERS.start}-{_ANSWERS.stop - 1}"
_EVERYWHERE = IPv4Network("0.0.0.0/0")
_INTERNET = ("igw-", "nat-")


@dataclass(frozen=True, kw_only=True)
class Border:
    """A subnet: its range, the routes of its table, and the entries of its network ACL, as EC2 tells both."""

    id: str
    cidr: IPv4Network
    routes: Sequence[Mapping[str, Any]]
    entries: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Borders:
    """The subnets of load balancers, by the name of one, and those that have registered targets, by id."""

    balancers: Mapping[str, Sequence[Border]]
    targets: Mapping[str, Border]


def _judged(facts: Facts) -> Judged:
    way, borders = known(facts.way), known(facts.borders)
    if not way.targets:
        raise Unread("no target is registered", "See target health first")
    pairs = [
        (ours, borders.targets[target.subnet], target)
        for target in way.targets
        for ours in borders.balancers[target.balancer]
    ]
    lost = Counter(one for pair in pairs for one in _routes(*pair))
    if lost:
        cure = "Have their owners give these route tables a route to each other's range: aws ec2 create-route"
        return Verdict.BAD, _told(lost), cure
    shut = Counter(one for pair in pairs for one in _entries(*pair))
    if shut:
        cure = "Have the owner of the network ACL let it pass, both ways: aws ec2 create-network-acl-entry"
        return Verdict.BAD, _told(shut), cure
    subnets = {ours.id for ours, _, _ in pairs}, {theirs.id for _, theirs, _ in pairs}
    return Verdict.OK, f"{some(subnets[0])} and {some(subnets[1])} reach each other", ""


def _told(faults: Mapping[str, int]) -> str:
    return some(f"{what} ({count} targets)" for what, count in faults.items())


def _routes(ours: Border, theirs: Border, target: Target) -> Iterator[str]:
    """Yield what the route tables of the two subnets lack."""
    if not _leads(ours.routes, IPv4Network(target.address)):
        yield f"{ours.id} has no active route to {theirs.cidr} of {theirs.id}"
    if not _leads(theirs.routes, ours.cidr):
        yield f"{theirs.id} has no active route back to {ours.cidr} of {ours.id}"


def _leads(routes: Sequence[Mapping[str, Any]], to: IPv4Network) -> bool:
    """Tell whether the narrowest route there is one that carries private addresses."""
    if any(one.get("DestinationPrefixListId") and not _to(one).startswith("vpce-") for one in routes):
        return True  # whose ranges are not told here: it is not said that there is none
    wide = [
        (IPv4Network(one["DestinationCidrBlock"]), one) for one in routes if one.get("DestinationCidrBlock") is not None
    ]
    narrowest = max((one for one in wide if to.subnet_of(one[0])), key=lambda one: one[0].prefixlen, default=None)
    if narrowest is None or narrowest[1].get("State") == "blackhole":
        return False
    return narrowest[0] != _EVERYWHERE or not _to(narrowest[1]).startswith(_INTERNET)


def _to(route: Mapping[str, Any]) -> str:
    return route.get("GatewayId") or route.get("NatGatewayId") or ""


def _entries(ours: Border, theirs: Border, target: Target) -> Iterator[str]:
    """Yield where the network ACLs of the two subnets stop a request or its answer. Within one subnet none is asked."""
    if ours.id == theirs.id:
        return
    port, there, here = range(target.port, target.port + 1), IPv4Network(target.address), ours.cidr
    if not _passes(ours.entries, there, port, out=True):
        yield f"the network ACL of {ours.id} lets nothing out to {theirs.cidr} on {target.port}"
    if not _passes(theirs.entries, here, port, out=False):
        yield f"the network ACL of {theirs.id} lets nothing in from {ours.cidr} on {target.port}"
    if not _passes(theirs.entries, here, _ANSWERS, out=True):
        yield f"the network ACL of {theirs.id} lets no answers out to {ours.cidr} on {_ASKING}"
    if not _passes(ours.entries, there, _ANSWERS, out=False):
        yield f"the network ACL of {ours.id} lets no answers in from {theirs.cidr} on {_ASKING}"


def _passes(entries: Sequence[Mapping[str, Any]], network: IPv4Network, ports: range, *, out: bool) -> bool:
    """Tell whether an ACL lets TCP pass to or from all addresses of a network, on all of some ports.

    Of addresses and ports those are tried where an entry begins and where it has ended: between them none says
    otherwise. An entry that denies a single port among many, as baselines do for SSH and RDP, is passed over.
    """
    asked = [
        (IPv4Network(one["CidrBlock"]), _ports(one), one["RuleAction"] == "allow")
        for one in sorted(entries, key=lambda one: one["RuleNumber"])
        if one["Egress"] is out and one["Protocol"] in _TCP and "CidrBlock" in one
    ]
    asked = [one for one in asked if one[2] or len(one[1]) > 1 or len(ports) == 1]
    edges = {int(network.network_address)} | {int(edge) for cidr, _, _ in asked for edge in _edges(cidr, network)}
    doors = {ports.start} | {edge for _, had, _ in asked for edge in (had.start, had.stop) if edge in ports}
    return all(_first(asked, IPv4Address(edge), door) for edge in edges for door in doors)


def _first(asked: Iterable[tuple[IPv4Network, range, bool]], address: IPv4Address, port: int) -> bool:
    """Tell what the first entry says that has an address and a port."""
    return next((allowed for cidr, ports, allowed in asked if address in cidr and port in ports), False)


def _edges(cidr: IPv4Network, within: IPv4Network) -> Iterator[int]:
    for edge in (int(cidr.network_address), int(cidr.broadcast_address) + 1):
        if int(within.network_address) <= edge <= int(within.broadcast_address):
            yield edge


def _ports(entry: Mapping[str, Any]) -> range:
    had = entry.get("PortRange")
    return range(had["From"], had["To"] + 1) if had and entry["Protocol"] != "-1" else range(65536)


CHECK = Check(
    code="CUT026",
    title="routes and network ACLs",
    why="A cluster in another VPC is reached by routes on both sides, and a network ACL knows no connections: it must "
    "let the answers back too. Either is missed in the new cluster's subnets, and every request ends in a 504.",
    evidence="The route tables and network ACLs of the load balancer's subnets, and of those of the registered "
    "targets. What stands between them (the route tables of a transit gateway, a firewall) is not read.",
    cure="Have the owners of the two VPCs add the routes, or the entries for the port and for the answers.",
    page="https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html",
    judged=_judged,
)
