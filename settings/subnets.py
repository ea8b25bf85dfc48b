"""The ranges of the subnets of a network that the program makes, cut from the range of its VPC."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True)
class ZoneSubnets:
    """The two ranges of one zone, as CIDR text."""

    zone: str
    public: str
    private: str


def plan_subnets(cidr: str, zones: tuple[str, ...]) -> list[ZoneSubnets]:
    """Cut a VPC's range so that a zone's part depends on nothing but its letter, whichever zones come and go.

    The range is cut in eighths: the private subnet (nodes and pods) of zone a takes the first, and so on to g; the last
    eighth is cut in eighths again for the public subnets. A /16 gives private /19 and public /22.

    :param cidr: the range, /16 to /21
    :param zones: zones that end in a letter from a to g
    """
    *private, last = ipaddress.IPv4Network(cidr).subnets(prefixlen_diff=3)
    public = list(last.subnets(prefixlen_diff=3))
    parts = {zone: ord(zone[-1]) - ord("a") for zone in zones}
    return [ZoneSubnets(zone, str(public[part]), str(private[part])) for zone, part in parts.items()]
