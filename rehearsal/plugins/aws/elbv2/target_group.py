"""The emulated target group: how targets are checked and how requests are spread over them.

From the provider's source and, for what moto picks otherwise, the ELB API's defaults. Refuses to own targets and their
health (cloud/targets.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import Aws
from rehearsal.plugins.aws.calls import named, spelled, tags_asked
from rehearsal.plugins.aws.elbv2 import limits
from rehearsal.plugins.aws.elbv2.attributes import attribute_text, attributes_asked, attributes_told
from rehearsal.plugins.aws.elbv2.standing import find_target_group
from rehearsal.plugins.aws.elbv2.tags import retag, tags_found
from rehearsal.plugins.aws.table import (
    ALWAYS,
    COMPUTED,
    COMPUTED_REPLACES,
    GIVEN,
    OUTPUT,
    REPLACES,
    Field,
    Type,
    between,
    block,
    defaults,
    one_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.refused import Props

_ATTRIBUTES = {
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
    "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
    "loadBalancingAnomalyMitigation": "load_balancing.algorithm.anomaly_mitigation",
    "loadBalancingCrossZoneEnabled": "load_balancing.cross_zone.enabled",
    "slowStart": "slow_start.duration_seconds",
}
_HEALTH = {
    "enabled": "HealthCheckEnabled",
    "healthyThreshold": "HealthyThresholdCount",
    "interval": "HealthCheckIntervalSeconds",
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
    "timeout": "HealthCheckTimeoutSeconds",
    "unhealthyThreshold": "UnhealthyThresholdCount",
}


def _health_check(inputs: Props) -> dict[str, Any]:
    check = inputs.get("healthCheck", {})
    asked = spelled(check, _HEALTH)
    if matcher := check.get("matcher"):
        asked["Matcher"] = {"GrpcCode" if inputs.get("protocolVersion") == "GRPC" else "HttpCode": matcher}
    return asked


def _create(aws: Aws, inputs: Props) -> str:
    name = named(inputs)
    asked = {
        "Protocol": inputs.get("protocol"),
        "ProtocolVersion": inputs.get("protocolVersion", "HTTP1"),
        "Port": inputs.get("port"),
        "VpcId": inputs.get("vpcId"),
        "IpAddressType": inputs.get("ipAddressType"),
    }
    arn = aws.ask(
        "elbv2",
        "create_target_group",
        Name=name,
        TargetType=inputs["targetType"],
        **{key: value for key, value in asked.items() if value is not None},
        **{**_api_health_defaults(inputs), **_health_check(inputs)},
        **tags_asked(inputs),
    )["TargetGroups"][0]["TargetGroupArn"]
    _set_attributes(aws, arn, inputs)
    return arn


def _api_health_defaults(inputs: Props) -> dict[str, Any]:
    """Return what the ELB API picks for an ALB's target group, where moto picks otherwise."""
    grpc = inputs.get("protocolVersion") == "GRPC"
    return {
        "HealthCheckPath": "/AWS.ALB/healthcheck" if grpc else "/",
        "HealthCheckTimeoutSeconds": 5,
        "Matcher": {"GrpcCode": "12"} if grpc else {"HttpCode": "200"},
    }


def _set_attributes(aws: Aws, arn: str, inputs: Props) -> None:
    attributes = attributes_asked(inputs, _ATTRIBUTES)
    if sticky := inputs.get("stickiness"):
        attributes += [
            {"Key": "stickiness.enabled", "Value": attribute_text(sticky["enabled"])},
            {"Key": "stickiness.type", "Value": sticky["type"]},
            {"Key": "stickiness.lb_cookie.duration_seconds", "Value": attribute_text(sticky["cookieDuration"])},
        ]
    if attributes:
        aws.ask("elbv2", "modify_target_group_attributes", TargetGroupArn=arn, Attributes=attributes)


def _update(aws: Aws, arn: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "healthCheck" in changed:
        aws.ask("elbv2", "modify_target_group", TargetGroupArn=arn, **_health_check(new))
    _set_attributes(aws, arn, {name: value for name, value in new.items() if name in changed})
    retag(aws, arn, old, new, changed)


def _read(aws: Aws, arn: str, known: Props) -> Props | None:
    group = find_target_group(aws, arn)
    if group is None:
        return None
    have = attributes_told(aws, "describe_target_group_attributes", TargetGroupArn=arn)
    check = {name: group[key] for name, key in _HEALTH.items() if key in group}
    matcher = group.get("Matcher", {})
    check["matcher"] = matcher.get("GrpcCode") or matcher.get("HttpCode") or ""
    version = known.get("protocolVersion", group.get("ProtocolVersion") or "HTTP1")
    return {
        **known,
        "arn": arn,
        "arnSuffix": arn.rsplit(":", 1)[1],
        "name": group["TargetGroupName"],
        "port": group.get("Port"),
        "protocol": group.get("Protocol"),
        "vpcId": group.get("VpcId"),
        "targetType": group["TargetType"],
        "namePrefix": known.get("namePrefix", ""),
        "ipAddressType": group.get("IpAddressType", "ipv4"),
        "protocolVersion": version,
        "healthCheck": check,
        "loadBalancerArns": known.get("loadBalancerArns", []),
        "deregistrationDelay": int(have["deregistration_delay.timeout_seconds"]),
        "slowStart": int(have["slow_start.duration_seconds"]),
        "loadBalancingAlgorithmType": have["load_balancing.algorithm.type"],
        "loadBalancingAnomalyMitigation": have.get("load_balancing.algorithm.anomaly_mitigation", "off"),
        "loadBalancingCrossZoneEnabled": have["load_balancing.cross_zone.enabled"],
        "stickiness": {
            "enabled": have["stickiness.enabled"] == "true",
            "type": have.get("stickiness.type", "lb_cookie"),
            "cookieDuration": int(have.get("stickiness.lb_cookie.duration_seconds", 86400)),
        },
        **tags_found(aws, arn, known),
    }


def _delete(aws: Aws, arn: str, state: Props) -> None:  # noqa: ARG001
    aws.patiently(
        lambda: aws.found(("TargetGroupNotFound",), "elbv2", "delete_target_group", TargetGroupArn=arn),
        ("ResourceInUse",),
    )


def _rule(inputs: Props) -> Iterator[str]:
    if inputs["targetType"] == "lambda":
        return
    for name in ("port", "protocol", "vpcId"):
        if name not in inputs:
            yield f'attribute "{name}" must be specified when "targetType" is "{inputs["targetType"]}"'
    check = inputs.get("healthCheck", {})
    if check.get("protocol") == "TCP" and inputs.get("protocol") in ("HTTP", "HTTPS"):
        yield 'attribute "healthCheck.protocol" cannot be "TCP" when "protocol" is "HTTP" or "HTTPS"'
    if inputs.get("slowStart") and inputs.get("loadBalancingAlgorithmType") == "least_outstanding_requests":
        yield 'attribute "slowStart" cannot be set with "loadBalancingAlgorithmType" "least_outstanding_requests"'


TYPE = Type(
    "aws:lb/targetGroup:TargetGroup",
    "ELBv2 Target Group",
    {
        "deregistrationDelay": Field(default=300, check=between(0, 3600)),
        "healthCheck": block(
            {
                "enabled": defaults(True),
                "healthyThreshold": Field(default=3, check=between(2, 10)),
                "interval": Field(default=30, check=between(5, 300)),
                "matcher": COMPUTED,
                "path": COMPUTED,
                "port": defaults("traffic-port"),
                "protocol": Field(default="HTTP", check=one_of("HTTP", "HTTPS", "TCP")),
                "timeout": Field(computed=True, check=between(2, 120)),
                "unhealthyThreshold": Field(default=3, check=between(2, 10)),
            },
            computed=True,
        ),
        "ipAddressType": COMPUTED_REPLACES,
        "lambdaMultiValueHeadersEnabled": defaults(False),
        "loadBalancingAlgorithmType": Field(
            computed=True, check=one_of("round_robin", "least_outstanding_requests", "weighted_random")
        ),
        "loadBalancingAnomalyMitigation": COMPUTED,
        "loadBalancingCrossZoneEnabled": COMPUTED,
        "name": Field(computed=True, replaces=ALWAYS, check=limits.wrong_name),
        "namePrefix": COMPUTED_REPLACES,
        "port": Field(replaces=ALWAYS, check=between(1, 65535)),
        "protocol": REPLACES,
        "protocolVersion": Field(computed=True, replaces=ALWAYS, check=one_of("GRPC", "HTTP1", "HTTP2")),
        "proxyProtocolV2": defaults(False),
        "slowStart": Field(
            default=0,
            check=lambda value: None if value == 0 else between(30, 900)(value),
        ),
        "stickiness": block(
            {
                "cookieDuration": Field(default=86400, check=between(0, limits.LONGEST_STICKINESS_SECONDS)),
                "enabled": defaults(True),
                "type": Field(required=True, check=one_of("lb_cookie")),
            },
            computed=True,
        ),
        "tags": GIVEN,
        "targetType": Field(default="instance", replaces=ALWAYS, check=one_of("instance", "ip", "lambda")),
        "vpcId": REPLACES,
        "arn": OUTPUT,
        "arnSuffix": OUTPUT,
        "loadBalancerArns": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    named="name",
    longest=limits.LONGEST_NAME,
    rule=_rule,
)
