"""The emulated data sources of the ``aws`` provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.refused import Refused
from rehearsal.plugins.aws.calls import find
from rehearsal.plugins.aws.eks.addon import newest_addon_version
from rehearsal.plugins.aws.eks.data_sources import cluster as standing_cluster
from rehearsal.plugins.aws.elbv2 import data_sources
from rehearsal.plugins.aws.route53.standing import every_zone

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _partition(aws: Aws, args: Props) -> Props:  # noqa: ARG001
    china = aws.partition == "aws-cn"
    return {
        "id": aws.partition,
        "partition": aws.partition,
        "dnsSuffix": "amazonaws.com.cn" if china else "amazonaws.com",
        "reverseDnsPrefix": "cn.com.amazonaws" if china else "com.amazonaws",
    }


def _caller(aws: Aws, args: Props) -> Props:  # noqa: ARG001
    answer = aws.ask("sts", "get_caller_identity")
    account = answer["Account"]
    return {"id": account, "accountId": account, "arn": answer["Arn"], "userId": answer["UserId"]}


def _region(aws: Aws, args: Props) -> Props:  # noqa: ARG001
    name = aws.region
    return {"id": name, "name": name, "region": name, "description": name, "endpoint": f"ec2.{name}.amazonaws.com"}


def _zone(aws: Aws, args: Props) -> Props:
    wanted = args.get("name", "").rstrip(".")
    zones = [
        zone
        for zone in every_zone(aws)
        if zone["Id"].rsplit("/", 1)[-1] == args.get("zoneId")
        or (
            zone["Name"].rstrip(".") == wanted
            and zone["Config"].get("PrivateZone", False) == args.get("privateZone", False)
        )
    ]
    if not zones:
        raise Refused(
            "invocation of aws:route53/getZone:getZone returned an error: no matching Route 53 Hosted Zone found"
        )
    if len(zones) > 1:
        raise Refused(
            "invocation of aws:route53/getZone:getZone returned an error: multiple Route 53 Hosted Zones matched; use "
            "additional constraints to reduce matches to a single Route 53 Hosted Zone"
        )
    zone = zones[0]
    made = zone["Id"].rsplit("/", 1)[-1]
    return {
        "id": made,
        "zoneId": made,
        "arn": f"arn:{aws.partition}:route53:::hostedzone/{made}",
        "name": zone["Name"].rstrip("."),
        "privateZone": zone["Config"].get("PrivateZone", False),
        "comment": zone["Config"].get("Comment", ""),
        "callerReference": zone["CallerReference"],
        "resourceRecordSetCount": zone["ResourceRecordSetCount"],
        "nameServers": aws.ask("route53", "get_hosted_zone", Id=made).get("DelegationSet", {}).get("NameServers", []),
        "tags": {},
    }


def _addon_version(aws: Aws, args: Props) -> Props:  # noqa: ARG001
    name = args["addonName"]
    return {**args, "id": name, "version": newest_addon_version(name), "mostRecent": args.get("mostRecent", False)}


def _parameter(aws: Aws, args: Props) -> Props:
    gone = ("ParameterNotFound",)
    one = find(aws, gone, "ssm", "get_parameter", "Parameter", Name=args["name"], WithDecryption=True)
    if one is None:
        raise Refused(
            "invocation of aws:ssm/getParameter:getParameter returned an error: reading SSM Parameter "
            f"({args['name']}): couldn't find resource"
        )
    return {
        "id": one["Name"],
        "arn": one["ARN"],
        "name": one["Name"],
        "type": one["Type"],
        "value": one["Value"],
        "insecureValue": one["Value"],
        "version": one["Version"],
    }


FUNCTIONS: dict[str, Callable[[Aws, Props], Props]] = {
    "aws:eks/getAddonVersion:getAddonVersion": _addon_version,
    "aws:eks/getCluster:getCluster": standing_cluster,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
    "aws:lb/getListener:getListener": data_sources.listener,
    "aws:lb/getLoadBalancer:getLoadBalancer": data_sources.load_balancer,
    "aws:route53/getZone:getZone": _zone,
    "aws:ssm/getParameter:getParameter": _parameter,
}
