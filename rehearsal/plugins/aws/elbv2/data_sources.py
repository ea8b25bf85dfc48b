"""The emulated data sources of load balancers and listeners that stand already.

From the provider's sources: exactly one must be found. Refuses to own the resources (load_balancer.py, listener.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.refused import Refused
from rehearsal.plugins.aws.elbv2.standing import every_load_balancer, find_listener, listeners_of

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def load_balancer(aws: Aws, args: Props) -> Props:
    """Answer `aws.lb.getLoadBalancer`, which asks by ARN or by name."""
    one = _only(
        "getLoadBalancer",
        [
            one
            for one in every_load_balancer(aws)
            if args.get("arn") in {None, one["LoadBalancerArn"]} and args.get("name") in {None, one["LoadBalancerName"]}
        ],
    )
    arn = one["LoadBalancerArn"]
    return {
        "id": arn,
        "arn": arn,
        "arnSuffix": arn.rsplit(":loadbalancer/", 1)[-1],
        "name": one["LoadBalancerName"],
        "dnsName": one["DNSName"],
        "zoneId": one["CanonicalHostedZoneId"],
        "vpcId": one["VpcId"],
        "internal": one["Scheme"] == "internal",
        "loadBalancerType": one["Type"],
        "ipAddressType": one.get("IpAddressType", "ipv4"),
        "securityGroups": one.get("SecurityGroups", []),
        "subnets": [zone["SubnetId"] for zone in one["AvailabilityZones"]],
    }


def listener(aws: Aws, args: Props) -> Props:
    """Answer `aws.lb.getListener`, which asks by ARN, or by load balancer and port."""
    if "arn" in args:
        found = [one for one in [find_listener(aws, args["arn"])] if one]
    else:
        found = [one for one in listeners_of(aws, args["loadBalancerArn"]) if one["Port"] == args["port"]]
    one = _only("getListener", found)
    return {
        "id": one["ListenerArn"],
        "arn": one["ListenerArn"],
        "loadBalancerArn": one["LoadBalancerArn"],
        "port": one["Port"],
        "protocol": one["Protocol"],
        "certificateArn": next((had["CertificateArn"] for had in one.get("Certificates", [])), ""),
        "sslPolicy": one.get("SslPolicy", ""),
    }


def _only(function: str, found: list[Props]) -> Props:
    if len(found) != 1:
        raise Refused(
            f"invocation of aws:lb/{function}:{function} returned an error: Search returned {len(found)} results, "
            "please revise so only one is returned"
        )
    return found[0]
