"""The way from load balancers to the targets of a cluster, as ELB and EC2 tell it: who is registered, in which groups.

Two accounts may be asked: that of the load balancers, and that of the cluster. Refuses to judge (rules/way.py).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from cutover.calls import at_once, pages
from cutover.rules.way import Side, Target, Way

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cutover.rules.account import Account

_AT_ONCE = 10  # ELB refills as many reads a second, for everybody
_GROUPS_PER_CALL = 100


def read(seen: Account, key: str, vpc: str, balancers: tuple[Any, Any], there: Any) -> Way:
    """Return what is registered of a cluster, which stands in ``vpc``, and which security groups are on the way.

    ``balancers`` are the clients of ELB and EC2 in the account of the load balancers, ``there`` is that of EC2 in the
    account of the cluster.

    :raises ClientError: AWS could not be read
    """
    elb, ec2 = balancers
    groups = {arn: route for route in seen.settings.routes if (arn := seen.found.group_of(route, key))}
    described = elb.describe_target_groups(TargetGroupArns=[*groups])["TargetGroups"] if groups else []
    on = {one["TargetGroupArn"]: one["LoadBalancerArns"][0] for one in described if one["LoadBalancerArns"]}
    told = at_once(lambda arn: elb.describe_target_health(TargetGroupArn=arn), on, _AT_ONCE)
    registered = [
        (arn, one["Target"]["Id"], one["Target"]["Port"])
        for arn, answer in zip(on, told, strict=True)
        for one in answer["TargetHealthDescriptions"]
    ]
    interfaces = _interfaces(there, vpc) if registered else []
    names = {arn: arn.split("/")[-2] for arn in on.values()}
    targets: list[Target] = []
    for arn, target, port in registered:
        if found := _interface(interfaces, target):
            address = found["PrivateIpAddress"] if target.startswith("i-") else target
            held = frozenset(group["GroupId"] for group in found["Groups"])
            at, subnet = names[on[arn]], found["SubnetId"]
            targets.append(
                Target(route=groups[arn], port=port, address=address, subnet=subnet, groups=held, balancer=at)
            )
    into = _permissions(there, {group for one in targets for group in one.groups}, "IpPermissions")
    return Way(
        targets=targets,
        lost=len(registered) - len(targets),
        into=into,
        balancers={one.name: one for one in _sides(elb, ec2, names)},
    )


def _sides(elb: Any, ec2: Any, names: Mapping[str, str]) -> Iterable[Side]:
    for arn, name in names.items():
        (one,) = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        groups = one.get("SecurityGroups", [])
        subnets = [zone["SubnetId"] for zone in one["AvailabilityZones"]]
        ranges = [subnet["CidrBlock"] for subnet in ec2.describe_subnets(SubnetIds=subnets)["Subnets"]]
        out = [rule for rules in _permissions(ec2, groups, "IpPermissionsEgress").values() for rule in rules]
        yield Side(name=name, groups=frozenset(groups), subnets=subnets, ranges=ranges, out=out)


def _permissions(ec2: Any, groups: Iterable[str], way: str) -> dict[str, Sequence[Mapping[str, Any]]]:
    every = sorted(groups)
    parts = [every[first : first + _GROUPS_PER_CALL] for first in range(0, len(every), _GROUPS_PER_CALL)]
    found = [one for part in parts for one in ec2.describe_security_groups(GroupIds=part)["SecurityGroups"]]
    return {one["GroupId"]: one[way] for one in found}


def _interfaces(ec2: Any, vpc: str) -> list[dict[str, Any]]:
    """Return the network interfaces of a VPC: a pod's address is one of its node's, or lies in a prefix of it."""
    own = [{"Name": "vpc-id", "Values": [vpc]}]
    return pages(ec2, "describe_network_interfaces", "NetworkInterfaces", Filters=own)


def _interface(interfaces: Sequence[Mapping[str, Any]], target: str) -> Mapping[str, Any] | None:
    return next((one for one in interfaces if _has(one, target)), None)


def _has(interface: Mapping[str, Any], target: str) -> bool:
    attached = interface.get("Attachment", {})
    if target.startswith("i-"):  # a node port is asked for at its first interface
        return attached.get("InstanceId") == target and attached.get("DeviceIndex") == 0
    addresses = {one["PrivateIpAddress"] for one in interface.get("PrivateIpAddresses", ())}
    return target in addresses or any(
        IPv4Address(target) in IPv4Network(one["Ipv4Prefix"]) for one in interface.get("Ipv4Prefixes", ())
    )
