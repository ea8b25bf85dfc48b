"""What EKS refuses of an input that its form lets through: zones, ranges, counts, and versions of add-ons.

The user guide's limits. The words of a refused zone and of an add-on's version are those of EKS, the others are the
emulation's. Refuses to own what lies in EKS already (plugins/aws/eks/).
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import AwsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws
    from rehearsal.cloud.store import Store

ADDON_VERSIONS = "eks/addon-versions"
"""Documents {versions} by add-on and Kubernetes version (``coredns:1.36``), where a test plays what EKS has."""

_WITHOUT_EKS = frozenset({"use1-az3", "usw1-az2", "cac1-az3"})  # ids of zones
_PUBLIC_CIDRS = 40
_INSTANCE_TYPES = 20
_PRIVATE = [ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
_NOT_PUBLIC = [*_PRIVATE, *map(ipaddress.IPv4Network, ("100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"))]
_SERVICE_PREFIXES = range(12, 25)


def judge_cluster(aws: Aws, name: str, inputs: Props, subnets: Sequence[Any]) -> None:
    """Refuse a cluster's zones and ranges. ``subnets`` are as EC2 describes them.

    :raises AwsError: EKS would refuse the cluster
    """
    _judge_zones(aws, name, subnets)
    judge_public_access("CreateCluster", inputs["vpcConfig"])
    if services := inputs.get("kubernetesNetworkConfig", {}).get("serviceIpv4Cidr"):
        _judge_services(aws, services, subnets[0]["VpcId"])


def judge_public_access(operation: str, network: Props) -> None:
    """Refuse ranges for the public endpoint.

    :raises AwsError: they are too many, or nobody comes from one by way of the internet
    """
    ranges = network.get("publicAccessCidrs", [])
    if len(ranges) > _PUBLIC_CIDRS:
        raise _refuse(operation, f"publicAccessCidrs must have at most {_PUBLIC_CIDRS} entries")
    if inside := [one for one in ranges if any(map(ipaddress.IPv4Network(one).subnet_of, _NOT_PUBLIC))]:
        raise _refuse(operation, f"The following CIDRs are not allowed in publicAccessCidrs: {inside}")


def judge_instance_types(types: Sequence[str]) -> None:
    """Refuse the instance types of a node group.

    :raises AwsError: they are too many
    """
    if len(types) > _INSTANCE_TYPES:
        raise _refuse("CreateNodegroup", f"instanceTypes must have at most {_INSTANCE_TYPES} entries")


def judge_release(operation: str, image: str | None, kubernetes: str) -> None:
    """Refuse a release of a node image that is none of a version of Kubernetes.

    :raises AwsError: it is none
    """
    if image and release(image) != release(kubernetes):
        raise _refuse(operation, f"Requested release version {image} is not valid for kubernetes version {kubernetes}.")


def compatible(store: Store, addon: str, version: str, kubernetes: str) -> bool:
    """Tell whether EKS has a version of an add-on for a version of Kubernetes.

    Where nothing is played, it has every version but a kube-proxy that is newer than its cluster.
    """
    if played := store.get(ADDON_VERSIONS, f"{addon}:{kubernetes}"):
        return version in played["versions"]
    form = re.fullmatch(r"v(\d+\.\d+)\.\d+-eksbuild\.\d+", version)
    return form is not None and (addon != "kube-proxy" or release(form[1]) <= release(kubernetes))


def release(version: str) -> tuple[int, int]:
    """Return the major and minor number of a version of Kubernetes."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _judge_zones(aws: Aws, name: str, subnets: Sequence[Any]) -> None:
    refused = [one["AvailabilityZone"] for one in subnets if one["AvailabilityZoneId"] in _WITHOUT_EKS]
    if refused:
        zones = aws.ask("ec2", "describe_availability_zones")["AvailabilityZones"]
        others = ", ".join(sorted(zone["ZoneName"] for zone in zones if zone["ZoneId"] not in _WITHOUT_EKS))
        raise _refuse(
            "CreateCluster",
            f"Cannot create cluster '{name}' because {refused[0]}, the targeted availability zone, does not currently "
            f"have sufficient capacity to support the cluster. Retry and choose from these availability zones: "
            f"{others}",
            "UnsupportedAvailabilityZoneException",
        )


def _judge_services(aws: Aws, services: str, vpc: str) -> None:
    wanted = ipaddress.IPv4Network(services)
    taken = aws.ask("ec2", "describe_vpcs", VpcIds=[vpc])["Vpcs"][0]["CidrBlock"]
    if not any(map(wanted.subnet_of, _PRIVATE)) or wanted.prefixlen not in _SERVICE_PREFIXES:
        raise _refuse("CreateCluster", f"{services} is not a valid serviceIpv4Cidr")
    if wanted.overlaps(ipaddress.IPv4Network(taken)):
        raise _refuse("CreateCluster", f"The serviceIpv4Cidr {services} overlaps with the CIDR {taken} of the VPC")


def _refuse(operation: str, message: str, code: str = "InvalidParameterException") -> AwsError:
    return AwsError("eks", operation, code, message)
