"""What is wrong between the ranges of the network and those of clusters."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from settings.network import NewNetwork
from settings.rules.mistake import Mistake, as_far_as_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.models import Settings


@as_far_as_known
def network_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield ranges that overlap, or are too small."""
    if settings.network is None:
        yield from _missing(settings)
    if not isinstance(settings.network, NewNetwork):
        return
    if settings.elsewhere and settings.own_clusters:
        yield Mistake(
            "CUT277",
            "network",
            f"a new VPC, and the listener of {', '.join(settings.elsewhere)} stands in another, whose security groups "
            "it would not take. The update would stop halfway. Write {vpcId, privateSubnetIds} of the load balancer's "
            "VPC",
        )
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
    for key, cluster in settings.own_clusters.items():
        if cluster.service_cidr and vpc.overlaps(ipaddress.IPv4Network(cluster.service_cidr)):
            yield Mistake(
                "CUT237",
                f"clusters.{key}.serviceCidr",
                f"{cluster.service_cidr} overlaps the network's {settings.network.cidr}. Pods could not tell a Service "
                "from a node. Choose a range outside it",
            )


@as_far_as_known
def _missing(settings: Settings) -> Iterator[Mistake]:
    standing = [f"the load balancer {key}" for key in settings.own_load_balancers]
    standing += [f"the cluster {key}" for key in settings.own_clusters]
    standing += ["the namespace of serviceDiscovery"] if settings.service_discovery else []
    if standing:
        yield Mistake(
            "CUT265",
            "network",
            f"missing, and {', '.join(standing)} stand{'s' if len(standing) == 1 else ''} in one. Nothing could be "
            "built. Write {cidr, zones} for a new VPC, or {vpcId, privateSubnetIds, publicSubnetIds} for one that is "
            "there",
        )
