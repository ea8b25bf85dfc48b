"""Whether a VPC that was made elsewhere has the subnets that the stack file names, as ELB and EKS need them.

Pure. Sources: the user guides of both. A load balancer takes one subnet of a zone and at least two zones, a cluster
subnets of at least two zones, and all are of one VPC. Refuses to own the form of ids (settings/), and networks that the
program makes (components/network.py).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from settings.network import ExistingNetwork
from settings.rules.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from settings import Settings


_LEAST_ZONES = 2


@dataclass(frozen=True)
class Subnet:
    """A subnet as EC2 has it: its zone, its VPC by id, and whether it has a range of IPv6."""

    zone: str
    vpc: str
    six: bool = False


def mistakes(settings: Settings, there: Mapping[str, Subnet] | None) -> Iterator[Mistake]:
    """Yield what is wrong with the subnets of the stack file, given those of them that are ``there``, by id.

    :param there: None where that could not be read
    """
    network = settings.network
    if there is None or not isinstance(network, ExistingNetwork):
        return
    balancers = settings.own_load_balancers
    schemes = {balancer.scheme for balancer in balancers.values()}
    public, private = network.public_subnet_ids, network.private_subnet_ids
    if "internet-facing" in schemes:
        yield from _mistakes("network.publicSubnetIds", network.vpc_id, public, there, balanced=True)
    yield from _mistakes("network.privateSubnetIds", network.vpc_id, private, there, balanced="internal" in schemes)
    for key, balancer in balancers.items():
        ids = private if balancer.scheme == "internal" else public
        without = [one for one in ids if one in there and not there[one].six]
        if balancer.dualstack and without:
            yield Mistake(
                "CUT346",
                f"loadBalancers.{key}.ipAddressType",
                f"dualstack, and {' and '.join(without)} have no range of IPv6. ELB would refuse it. Give them one, or "
                "leave it out",
            )


def _mistakes(
    where: str, vpc: str, ids: Sequence[str], there: Mapping[str, Subnet], *, balanced: bool
) -> Iterator[Mistake]:
    wrong = list(_not_of_the_vpc(where, vpc, ids, there))
    yield from wrong or _mistakes_of_zones(where, ids, there, balanced=balanced)


def _not_of_the_vpc(where: str, vpc: str, ids: Sequence[str], there: Mapping[str, Subnet]) -> Iterator[Mistake]:
    for one in ids:
        if one not in there:
            yield Mistake(
                "CUT309",
                where,
                f"this account has no subnet {one} in this region. The update would stop halfway. Take those of "
                f"`aws ec2 describe-subnets --filters Name=vpc-id,Values={vpc}`",
            )
        elif there[one].vpc != vpc:
            yield Mistake(
                "CUT310",
                where,
                f"{one} is of {there[one].vpc}, and vpcId says {vpc}. Security groups of one VPC are "
                "refused in another, once there are some. Write the subnets of the VPC",
            )


def _mistakes_of_zones(
    where: str, ids: Sequence[str], there: Mapping[str, Subnet], *, balanced: bool
) -> Iterator[Mistake]:
    by_zone = defaultdict[str, list[str]](list)
    for one in ids:
        by_zone[there[one].zone].append(one)
    if len(by_zone) < _LEAST_ZONES:
        yield Mistake(
            "CUT311",
            where,
            f"all are in {next(iter(by_zone))}. EKS and ELB refuse what has subnets of one zone only. Add one of "
            "another zone",
        )
    for zone, same in by_zone.items():
        if balanced and len(same) > 1:
            yield Mistake(
                "CUT312",
                where,
                f"{' and '.join(same)} are all in {zone}, and a load balancer takes one subnet of a zone. ELB would "
                "refuse it. Leave the others out",
            )
