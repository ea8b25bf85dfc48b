"""The emulated load balancing types. State lies in moto; limits that moto lets through are refused as AWS refuses them.

Rules and limits: the Application Load Balancers user guide (quotas), and the provider's own plan checks. Refuses to own
the forwarding of requests and the health of targets.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import Aws, AwsError, pairs, prefixed, unpaired
from rehearsal.plugins.aws.table import (
    ALWAYS,
    COMPUTED,
    COMPUTED_REPLACES,
    GIVEN,
    OUTPUT,
    REPLACES,
    REQUIRED,
    REQUIRED_REPLACES,
    Field,
    Shape,
    Type,
    between,
    block,
    defaults,
    list_of,
    one_of,
    set_of,
)
from rehearsal.plugins.plugin import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rehearsal.cloud.refused import Props

RULES_PER_LOAD_BALANCER = 100
TARGET_GROUPS_PER_LOAD_BALANCER = 100
TARGET_GROUPS_PER_ACTION = 5
CONDITION_VALUES_PER_RULE = 5
CONDITION_WILDCARDS_PER_RULE = 6
HIGHEST_WEIGHT = 999
LONGEST_STICKINESS_SECONDS = 604_800
HIGHEST_PRIORITY = 50_000
DEFAULT_RULE_PRIORITY = 99_999
LONGEST_NAME = 32
LONGEST_HEADER_VALUE = 128
LEAST_ZONES = 2

_HEADER = re.compile(r"[0-9A-Za-z_!#$%&'*+,.^`|~-]{1,40}")  # of aws_lb_listener_rule in the provider's source

_ATTRIBUTES = {  # of a load balancer: property to API attribute
    "clientKeepAlive": "client_keep_alive.seconds",
    "desyncMitigationMode": "routing.http.desync_mitigation_mode",
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
    "enableDeletionProtection": "deletion_protection.enabled",
    "enableHttp2": "routing.http2.enabled",
    "enableTlsVersionAndCipherSuiteHeaders": "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
    "enableWafFailOpen": "waf.fail_open.enabled",
    "enableXffClientPort": "routing.http.xff_client_port.enabled",
    "enableZonalShift": "zonal_shift.config.enabled",
    "idleTimeout": "idle_timeout.timeout_seconds",
    "preserveHostHeader": "routing.http.preserve_host_header.enabled",
    "xffHeaderProcessingMode": "routing.http.xff_header_processing.mode",
}
_LOGS = {"accessLogs": "access_logs.s3", "connectionLogs": "connection_logs.s3"}
_GROUP_ATTRIBUTES = {
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
    "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
    "loadBalancingAnomalyMitigation": "load_balancing.algorithm.anomaly_mitigation",
    "loadBalancingCrossZoneEnabled": "load_balancing.cross_zone.enabled",
    "slowStart": "slow_start.duration_seconds",
}
_LISTENER_ATTRIBUTES = {
    "routingHttpResponseServerEnabled": "routing.http.response.server.enabled",
    "routingHttpResponseStrictTransportSecurityHeaderValue": (
        "routing.http.response.strict_transport_security.header_value"
    ),
    "routingHttpResponseXContentTypeOptionsHeaderValue": "routing.http.response.x_content_type_options.header_value",
    "routingHttpResponseXFrameOptionsHeaderValue": "routing.http.response.x_frame_options.header_value",
    "routingHttpResponseContentSecurityPolicyHeaderValue": (
        "routing.http.response.content_security_policy.header_value"
    ),
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
_REDIRECT = {
    "host": "Host",
    "path": "Path",
    "port": "Port",
    "protocol": "Protocol",
    "query": "Query",
    "statusCode": "StatusCode",
}
_FIXED = {"contentType": "ContentType", "messageBody": "MessageBody", "statusCode": "StatusCode"}
_CONDITIONS = {
    "hostHeader": ("host-header", "HostHeaderConfig"),
    "httpHeader": ("http-header", "HttpHeaderConfig"),
    "httpRequestMethod": ("http-request-method", "HttpRequestMethodConfig"),
    "pathPattern": ("path-pattern", "PathPatternConfig"),
    "sourceIp": ("source-ip", "SourceIpConfig"),
}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as(example: Any, text: str) -> Any:
    """Return an attribute's text as the provider shows it, by the value that a program would give."""
    if isinstance(example, bool):
        return text == "true"
    return int(text) if isinstance(example, int) else text


def _retag(aws: Aws, arn: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "tagsAll" not in changed:
        return
    if gone := [key for key in old.get("tagsAll", {}) if key not in new["tagsAll"]]:
        aws.ask("elbv2", "remove_tags", ResourceArns=[arn], TagKeys=gone)
    if new["tagsAll"]:
        aws.ask("elbv2", "add_tags", ResourceArns=[arn], Tags=pairs(new["tagsAll"]))


def _tags(inputs: Props) -> dict[str, Any]:
    return {"Tags": pairs(inputs["tagsAll"])} if inputs["tagsAll"] else {}


def _tags_found(aws: Aws, arn: str, known: Props) -> Props:
    answer = aws.ask("elbv2", "describe_tags", ResourceArns=[arn])["TagDescriptions"]
    return aws.tags_found(unpaired(answer[0]["Tags"]) if answer else {}, known)


def _attributes(inputs: Props, names: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": _text(inputs[name])} for name, key in names.items() if name in inputs]


# Load balancers


def _judge_subnets(aws: Aws, operation: str, inputs: Props) -> None:
    subnets = aws.ask("ec2", "describe_subnets", SubnetIds=inputs["subnets"])["Subnets"]
    zones = [subnet["AvailabilityZone"] for subnet in subnets]
    if len(set(zones)) < LEAST_ZONES:
        raise AwsError(
            "elbv2",
            operation,
            "ValidationError",
            "At least two subnets in two different Availability Zones must be specified",
        )
    if len(set(zones)) < len(zones):
        raise AwsError(
            "elbv2",
            operation,
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    if len({subnet["VpcId"] for subnet in subnets}) > 1:
        raise AwsError("elbv2", operation, "InvalidConfigurationRequest", "All subnets must belong to the same VPC")


def _create_load_balancer(aws: Aws, inputs: Props) -> str:
    name = inputs.get("name") or prefixed(inputs["namePrefix"])
    if name.startswith("internal-"):
        raise AwsError("elbv2", "CreateLoadBalancer", "ValidationError", f"The load balancer name '{name}' is reserved")
    if any(one["LoadBalancerName"] == name for one in aws.pages("elbv2", "describe_load_balancers", "LoadBalancers")):
        raise AwsError(
            "elbv2",
            "CreateLoadBalancer",
            "DuplicateLoadBalancerName",
            f"A load balancer with the name '{name}' already exists",
        )
    _judge_subnets(aws, "CreateLoadBalancer", inputs)
    arn = aws.ask(
        "elbv2",
        "create_load_balancer",
        Name=name,
        Subnets=inputs["subnets"],
        Scheme="internal" if inputs.get("internal") else "internet-facing",
        Type=inputs["loadBalancerType"],
        IpAddressType=inputs.get("ipAddressType", "ipv4"),
        **({"SecurityGroups": inputs["securityGroups"]} if "securityGroups" in inputs else {}),
        **_tags(inputs),
    )["LoadBalancers"][0]["LoadBalancerArn"]
    _set_load_balancer(aws, arn, inputs)
    return arn


def _set_load_balancer(aws: Aws, arn: str, inputs: Props) -> None:
    attributes = _attributes(inputs, _ATTRIBUTES)
    for name, prefix in _LOGS.items():
        if logs := inputs.get(name):
            attributes += [{"Key": f"{prefix}.{key}", "Value": _text(value)} for key, value in logs.items()]
    aws.ask("elbv2", "modify_load_balancer_attributes", LoadBalancerArn=arn, Attributes=attributes)


def _update_load_balancer(aws: Aws, arn: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "subnets" in changed:
        _judge_subnets(aws, "SetSubnets", new)
        aws.ask("elbv2", "set_subnets", LoadBalancerArn=arn, Subnets=new["subnets"])
    if "securityGroups" in changed:
        aws.ask("elbv2", "set_security_groups", LoadBalancerArn=arn, SecurityGroups=new["securityGroups"])
    if "ipAddressType" in changed:
        aws.ask("elbv2", "set_ip_address_type", LoadBalancerArn=arn, IpAddressType=new["ipAddressType"])
    logs_off = {name: {"enabled": False} for name in _LOGS if name in old and name not in new}
    _set_load_balancer(aws, arn, {**new, **logs_off})
    _retag(aws, arn, old, new, changed)


def _load_balancer(aws: Aws, arn: str) -> Props | None:
    answer = aws.found(("LoadBalancerNotFound",), "elbv2", "describe_load_balancers", LoadBalancerArns=[arn])
    return answer["LoadBalancers"][0] if answer and answer["LoadBalancers"] else None


def _read_load_balancer(aws: Aws, arn: str, known: Props) -> Props | None:
    balancer = _load_balancer(aws, arn)
    if balancer is None:
        return None
    answer = aws.ask("elbv2", "describe_load_balancer_attributes", LoadBalancerArn=arn)["Attributes"]
    have = {one["Key"]: one["Value"] for one in answer}
    return {
        **known,
        "arn": arn,
        "arnSuffix": arn.split(":loadbalancer/", 1)[1],
        "name": balancer["LoadBalancerName"],
        "namePrefix": known.get("namePrefix", ""),
        "dnsName": balancer["DNSName"],
        "zoneId": balancer["CanonicalHostedZoneId"],
        "vpcId": balancer["VpcId"],
        "internal": balancer["Scheme"] == "internal",
        "ipAddressType": balancer["IpAddressType"],
        "securityGroups": balancer.get("SecurityGroups", []),
        "subnets": [zone["SubnetId"] for zone in balancer["AvailabilityZones"]],
        **{name: _as(known[name], have[key]) for name, key in _ATTRIBUTES.items() if key in have and name in known},
        **_tags_found(aws, arn, known),
    }


def _delete_load_balancer(aws: Aws, arn: str, state: Props) -> None:  # noqa: ARG001
    if _load_balancer(aws, arn) is None:
        return
    answer = aws.ask("elbv2", "describe_load_balancer_attributes", LoadBalancerArn=arn)["Attributes"]
    if {"Key": _ATTRIBUTES["enableDeletionProtection"], "Value": "true"} in answer:
        raise AwsError(
            "elbv2",
            "DeleteLoadBalancer",
            "OperationNotPermitted",
            f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
        )
    aws.ask("elbv2", "delete_load_balancer", LoadBalancerArn=arn)


# Target groups


def _health_check(inputs: Props) -> dict[str, Any]:
    check = inputs.get("healthCheck", {})
    asked: dict[str, Any] = {key: check[name] for name, key in _HEALTH.items() if name in check}
    if matcher := check.get("matcher"):
        asked["Matcher"] = {"GrpcCode" if inputs.get("protocolVersion") == "GRPC" else "HttpCode": matcher}
    return asked


def _create_target_group(aws: Aws, inputs: Props) -> str:
    name = inputs.get("name") or prefixed(inputs["namePrefix"])
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
        **_tags(inputs),
    )["TargetGroups"][0]["TargetGroupArn"]
    _set_target_group(aws, arn, inputs)
    return arn


def _api_health_defaults(inputs: Props) -> dict[str, Any]:
    """Return what the ELB API picks for an ALB's target group, where moto picks otherwise."""
    grpc = inputs.get("protocolVersion") == "GRPC"
    return {
        "HealthCheckPath": "/AWS.ALB/healthcheck" if grpc else "/",
        "HealthCheckTimeoutSeconds": 5,
        "Matcher": {"GrpcCode": "12"} if grpc else {"HttpCode": "200"},
    }


def _set_target_group(aws: Aws, arn: str, inputs: Props) -> None:
    attributes = _attributes(inputs, _GROUP_ATTRIBUTES)
    if sticky := inputs.get("stickiness"):
        attributes += [
            {"Key": "stickiness.enabled", "Value": _text(sticky["enabled"])},
            {"Key": "stickiness.type", "Value": sticky["type"]},
            {"Key": "stickiness.lb_cookie.duration_seconds", "Value": _text(sticky["cookieDuration"])},
        ]
    if attributes:
        aws.ask("elbv2", "modify_target_group_attributes", TargetGroupArn=arn, Attributes=attributes)


def _update_target_group(aws: Aws, arn: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "healthCheck" in changed:
        aws.ask("elbv2", "modify_target_group", TargetGroupArn=arn, **_health_check(new))
    _set_target_group(aws, arn, {name: value for name, value in new.items() if name in changed})
    _retag(aws, arn, old, new, changed)


def _target_group(aws: Aws, arn: str) -> Props | None:
    answer = aws.found(("TargetGroupNotFound",), "elbv2", "describe_target_groups", TargetGroupArns=[arn])
    return answer["TargetGroups"][0] if answer and answer["TargetGroups"] else None


def _read_target_group(aws: Aws, arn: str, known: Props) -> Props | None:
    group = _target_group(aws, arn)
    if group is None:
        return None
    answer = aws.ask("elbv2", "describe_target_group_attributes", TargetGroupArn=arn)["Attributes"]
    have = {one["Key"]: one["Value"] for one in answer}
    check = {name: group[key] for name, key in _HEALTH.items() if key in group}
    matcher = group.get("Matcher", {})
    check["matcher"] = matcher.get("GrpcCode") or matcher.get("HttpCode") or ""
    version = known.get("protocolVersion", group.get("ProtocolVersion") or "HTTP1")
    return {
        **known,
        "arn": arn,
        "arnSuffix": arn.rsplit(":", 1)[1],
        "name": group["TargetGroupName"],
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
        **_tags_found(aws, arn, known),
    }


def _delete_target_group(aws: Aws, arn: str, state: Props) -> None:  # noqa: ARG001
    aws.patiently(
        lambda: aws.found(("TargetGroupNotFound",), "elbv2", "delete_target_group", TargetGroupArn=arn),
        ("ResourceInUse",),
    )


def _target_group_rule(inputs: Props) -> Iterator[str]:
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


# Actions


def _action(action: Props) -> dict[str, Any]:
    asked: dict[str, Any] = {"Type": action["type"]}
    if "order" in action:
        asked["Order"] = action["order"]
    if "forward" in action:
        forward = action["forward"]
        asked["ForwardConfig"] = {
            "TargetGroups": [
                {"TargetGroupArn": group["arn"], "Weight": group["weight"]} for group in forward["targetGroups"]
            ]
        }
        if sticky := forward.get("stickiness"):
            lasting = {"Enabled": sticky["enabled"], "DurationSeconds": sticky["duration"]}
            asked["ForwardConfig"] = {**asked["ForwardConfig"], "TargetGroupStickinessConfig": lasting}
    elif "targetGroupArn" in action:
        asked["TargetGroupArn"] = action["targetGroupArn"]
    if "redirect" in action:
        asked["RedirectConfig"] = {key: action["redirect"][name] for name, key in _REDIRECT.items()}
    if "fixedResponse" in action:
        fixed = action["fixedResponse"]
        asked["FixedResponseConfig"] = {key: fixed[name] for name, key in _FIXED.items() if name in fixed}
    return asked


def _actions_found(found: list[Any], known: list[Props]) -> list[Props]:
    """Return actions as the provider shows them: a forward in the form that the program uses."""
    return [
        _action_found(action, known[index] if index < len(known) else {}, index + 1)
        for index, action in enumerate(found)
    ]


def _action_found(action: dict[str, Any], known: Props, order: int) -> Props:
    shown: Props = {"type": action["Type"], "order": action.get("Order", order)}
    if action["Type"] == "forward":
        config = action.get("ForwardConfig", {})
        groups = config.get("TargetGroups") or [{"TargetGroupArn": action["TargetGroupArn"], "Weight": 1}]
        if "targetGroupArn" in known and len(groups) == 1:
            shown["targetGroupArn"] = groups[0]["TargetGroupArn"]
        else:
            sticky = config.get("TargetGroupStickinessConfig", {})
            shown["forward"] = {
                "targetGroups": [{"arn": one["TargetGroupArn"], "weight": int(one["Weight"])} for one in groups],
                "stickiness": {
                    "enabled": bool(sticky.get("Enabled")),
                    "duration": int(sticky.get("DurationSeconds", 3600)),
                },
            }
    if "RedirectConfig" in action:
        shown["redirect"] = {name: action["RedirectConfig"].get(key) for name, key in _REDIRECT.items()}
    if "FixedResponseConfig" in action:
        fixed = action["FixedResponseConfig"]
        shown["fixedResponse"] = {name: fixed[key] for name, key in _FIXED.items() if key in fixed}
    return shown


def _action_rule(actions: list[Props]) -> Iterator[str]:
    for index, action in enumerate(actions):
        kind = action["type"]
        forwards = [name for name in ("forward", "targetGroupArn") if name in action]
        if kind == "forward" and not forwards:
            yield f'action {index} of type "forward" needs one of "targetGroupArn" or "forward"'
        if len(forwards) > 1:
            arns = {group["arn"] for group in action["forward"]["targetGroups"]}
            if arns != {action["targetGroupArn"]}:
                yield f'action {index} gives both "targetGroupArn" and "forward", with different target groups'
        for wanted, name in (("redirect", "redirect"), ("fixed-response", "fixedResponse")):
            if kind == wanted and name not in action:
                yield f'action {index} of type "{wanted}" needs "{name}"'


def _arns(actions: list[dict[str, Any]]) -> list[str]:
    """Return the ARNs of the target groups that API actions forward to, each once."""
    named = [
        arn
        for action in actions
        for arn in (
            action.get("TargetGroupArn"),
            *(group["TargetGroupArn"] for group in action.get("ForwardConfig", {}).get("TargetGroups", ())),
        )
        if arn
    ]
    return list(dict.fromkeys(named))


def _judge_forward(
    aws: Aws,
    operation: str,
    balancer_arn: str,
    protocol: str,
    actions: list[dict[str, Any]],
    *,
    rules: Mapping[str, list[Props]],
) -> None:
    """Refuse what AWS refuses of the target groups that an action names, with all ``rules`` by load balancer.

    Raises:
        AwsError: a group is missing, in another VPC, on another load balancer, gRPC without HTTPS, or one too many.

    """
    arns = _arns(actions)
    if not arns:
        return
    balancer = _load_balancer(aws, balancer_arn)
    if balancer is None:
        raise AwsError("elbv2", operation, "LoadBalancerNotFound", f"Load balancer '{balancer_arn}' not found")
    for arn in arns:
        group = _target_group(aws, arn)
        if group is None:
            raise AwsError("elbv2", operation, "TargetGroupNotFound", f"Target group '{arn}' not found")
        if group.get("VpcId") != balancer["VpcId"]:
            raise AwsError(
                "elbv2",
                operation,
                "InvalidConfigurationRequest",
                f"Target group '{arn}' is in a different VPC than load balancer '{balancer_arn}'",
            )
        if group.get("ProtocolVersion") == "GRPC" and protocol != "HTTPS":
            raise AwsError(
                "elbv2",
                operation,
                "InvalidConfigurationRequest",
                f"Listener protocol '{protocol}' is not supported with a target group with the protocol-version 'GRPC'",
            )
    attached = {at: {arn for rule in its for arn in _arns(rule["Actions"])} for at, its in rules.items()}
    if elsewhere := [arn for arn in arns if any(arn in have for at, have in attached.items() if at != balancer_arn)]:
        raise AwsError(
            "elbv2",
            operation,
            "TargetGroupAssociationLimit",
            "The following target groups cannot be associated with more than one load balancer: "
            + ", ".join(elsewhere),
        )
    if len(attached[balancer_arn] | set(arns)) > TARGET_GROUPS_PER_LOAD_BALANCER:
        raise AwsError(
            "elbv2",
            operation,
            "TooManyUniqueTargetGroupsPerLoadBalancer",
            f"The maximum number of unique target groups on load balancer '{balancer_arn}' has been reached",
        )


def _balancers(aws: Aws) -> list[Props]:
    return aws.pages("elbv2", "describe_load_balancers", "LoadBalancers")


def _listeners(aws: Aws, balancer_arn: str) -> list[Props]:
    try:
        return aws.pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer_arn)
    except AwsError as error:
        if error.code == "LoadBalancerNotFound":
            return []
        raise


def _rules(aws: Aws, listener_arn: str) -> list[Props]:
    answer = aws.found(("ListenerNotFound",), "elbv2", "describe_rules", ListenerArn=listener_arn, PageSize=400)
    return answer["Rules"] if answer else []


def _rules_by_balancer(aws: Aws) -> dict[str, list[Props]]:
    return {
        balancer["LoadBalancerArn"]: [
            {**rule, "ListenerArn": listener["ListenerArn"]}
            for listener in _listeners(aws, balancer["LoadBalancerArn"])
            for rule in _rules(aws, listener["ListenerArn"])
        ]
        for balancer in _balancers(aws)
    }


# Listeners


def _judge_certificate(aws: Aws, operation: str, arn: str) -> None:
    answer = aws.found(("ResourceNotFoundException",), "acm", "describe_certificate", CertificateArn=arn)
    if answer is None:
        raise AwsError("elbv2", operation, "CertificateNotFound", f"Certificate '{arn}' not found")
    if answer["Certificate"]["Status"] != "ISSUED":
        raise AwsError(
            "elbv2",
            operation,
            "UnsupportedCertificate",
            f"The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a supported "
            "key size.",
        )


def _listener_protocol(inputs: Props) -> str:
    return inputs.get("protocol") or ("HTTPS" if "certificateArn" in inputs else "HTTP")


def _listener_asked(aws: Aws, operation: str, inputs: Props) -> dict[str, Any]:
    protocol = _listener_protocol(inputs)
    asked: dict[str, Any] = {"Port": inputs.get("port", 443 if protocol == "HTTPS" else 80), "Protocol": protocol}
    if protocol == "HTTPS":
        if "certificateArn" not in inputs:
            raise AwsError("elbv2", operation, "ValidationError", "A certificate must be specified for HTTPS listeners")
        _judge_certificate(aws, operation, inputs["certificateArn"])
        asked["Certificates"] = [{"CertificateArn": inputs["certificateArn"]}]
        asked["SslPolicy"] = inputs.get("sslPolicy", "ELBSecurityPolicy-2016-08")
    elif "certificateArn" in inputs:
        raise AwsError("elbv2", operation, "ValidationError", "A certificate cannot be specified for HTTP listeners")
    return asked


def _create_listener(aws: Aws, inputs: Props) -> str:
    actions = [_action(action) for action in inputs["defaultActions"]]
    at = inputs["loadBalancerArn"]
    asked = _listener_asked(aws, "CreateListener", inputs)
    with aws.judging:
        _judge_forward(aws, "CreateListener", at, asked["Protocol"], actions, rules=_rules_by_balancer(aws))
        if any(one["Port"] == asked["Port"] for one in _listeners(aws, at)):
            raise AwsError(
                "elbv2",
                "CreateListener",
                "DuplicateListener",
                "A listener already exists on this port for this load balancer",
            )
        policy = asked.pop("SslPolicy", None)
        answer = aws.ask(
            "elbv2",
            "create_listener",
            LoadBalancerArn=at,
            DefaultActions=actions,
            **asked,
            **_policy(policy),
            **_tags(inputs),
        )
    arn = answer["Listeners"][0]["ListenerArn"]
    _set_listener(aws, arn, inputs)
    return arn


def _policy(name: str | None) -> dict[str, str]:
    return {"SslPolicy": name} if name else {}


def _set_listener(aws: Aws, arn: str, inputs: Props) -> None:
    if attributes := _attributes(inputs, _LISTENER_ATTRIBUTES):
        aws.ask("elbv2", "modify_listener_attributes", ListenerArn=arn, Attributes=attributes)


def _update_listener(aws: Aws, arn: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    asked = _listener_asked(aws, "ModifyListener", new)
    policy = asked.pop("SslPolicy", None)
    with aws.judging:
        if "defaultActions" in changed:
            asked["DefaultActions"] = [_action(action) for action in new["defaultActions"]]
            at, actions, rules = new["loadBalancerArn"], asked["DefaultActions"], _rules_by_balancer(aws)
            _judge_forward(aws, "ModifyListener", at, asked["Protocol"], actions, rules=rules)
        aws.ask("elbv2", "modify_listener", ListenerArn=arn, **asked, **_policy(policy))
    _set_listener(aws, arn, new)
    _retag(aws, arn, old, new, changed)


def _listener(aws: Aws, arn: str) -> Props | None:
    gone = ("ListenerNotFound", "LoadBalancerNotFound")
    answer = aws.found(gone, "elbv2", "describe_listeners", ListenerArns=[arn])
    return answer["Listeners"][0] if answer and answer["Listeners"] else None


def _read_listener(aws: Aws, arn: str, known: Props) -> Props | None:
    listener = _listener(aws, arn)
    if listener is None:
        return None
    certificates = listener.get("Certificates") or []
    secured = {"sslPolicy": listener["SslPolicy"]} if listener.get("SslPolicy") else {"sslPolicy": ""}
    return {
        **known,
        "arn": arn,
        "loadBalancerArn": listener["LoadBalancerArn"],
        "port": int(listener["Port"]),
        "protocol": listener["Protocol"],
        "defaultActions": _actions_found(listener["DefaultActions"], known.get("defaultActions", [])),
        **secured,
        **({"certificateArn": certificates[0]["CertificateArn"]} if certificates else {}),
        **_tags_found(aws, arn, known),
    }


def _delete_listener(aws: Aws, arn: str, state: Props) -> None:  # noqa: ARG001
    if _listener(aws, arn):
        aws.ask("elbv2", "delete_listener", ListenerArn=arn)


def _listener_rule_of_plan(inputs: Props) -> Iterator[str]:
    yield from _action_rule(inputs["defaultActions"])


# Rules


def _condition(condition: Props) -> dict[str, Any]:
    for name, (field, config) in _CONDITIONS.items():
        if name in condition:
            given = condition[name]
            header = {"HttpHeaderName": given["httpHeaderName"]} if name == "httpHeader" else {}
            return {"Field": field, config: {**header, "Values": given["values"]}}
    queries = [
        {**({"Key": one["key"]} if "key" in one else {}), "Value": one["value"]} for one in condition["queryStrings"]
    ]
    return {"Field": "query-string", "QueryStringConfig": {"Values": queries}}


def _condition_found(condition: dict[str, Any]) -> Props:
    for name, (field, config) in _CONDITIONS.items():
        if condition["Field"] == field:
            found = condition.get(config) or {"Values": condition.get("Values", [])}
            header = {"httpHeaderName": found["HttpHeaderName"]} if name == "httpHeader" else {}
            return {name: {**header, "values": found["Values"]}}
    found = condition["QueryStringConfig"]["Values"]
    return {"queryStrings": [{key.lower(): value for key, value in one.items()} for one in found]}


def _judge_conditions(operation: str, conditions: list[dict[str, Any]]) -> None:
    configs = [value for one in conditions for key, value in one.items() if key.endswith("Config")]
    values = [value for config in configs for value in config["Values"]]
    if len(values) > CONDITION_VALUES_PER_RULE:
        raise AwsError(
            "elbv2",
            operation,
            "ValidationError",
            f"A rule can only have '{CONDITION_VALUES_PER_RULE}' condition values",
        )
    wild = sum(len(re.findall(r"[*?]", value)) for value in values if isinstance(value, str))
    if wild > CONDITION_WILDCARDS_PER_RULE:
        raise AwsError(
            "elbv2",
            operation,
            "ValidationError",
            f"A rule can only have '{CONDITION_WILDCARDS_PER_RULE}' condition wildcards",
        )


def _in_use(operation: str, priority: int) -> AwsError:
    return AwsError("elbv2", operation, "PriorityInUse", f"Priority '{priority}' is currently in use")


def _create_rule(aws: Aws, inputs: Props) -> str:
    actions = [_action(action) for action in inputs["actions"]]
    conditions = [_condition(condition) for condition in inputs["conditions"]]
    listener_arn = inputs["listenerArn"]
    _judge_conditions("CreateRule", conditions)
    with aws.judging:
        listener = _listener(aws, listener_arn)
        if listener is None:
            raise AwsError("elbv2", "CreateRule", "ListenerNotFound", f"Listener '{listener_arn}' not found")
        at, rules = listener["LoadBalancerArn"], _rules_by_balancer(aws)
        taken = {rule["Priority"] for rule in rules[at] if rule["ListenerArn"] == listener_arn} - {"default"}
        priority = inputs.get("priority") or max([0, *map(int, taken)]) + 1
        if str(priority) in taken:
            raise _in_use("CreateRule", priority)
        if sum(not rule["IsDefault"] for rule in rules[at]) >= RULES_PER_LOAD_BALANCER:
            raise AwsError(
                "elbv2",
                "CreateRule",
                "TooManyRules",
                f"The maximum number of rules on load balancer '{at}' has been reached",
            )
        _judge_forward(aws, "CreateRule", at, listener["Protocol"], actions, rules=rules)
        answer = aws.ask(
            "elbv2",
            "create_rule",
            ListenerArn=listener_arn,
            Priority=priority,
            Actions=actions,
            Conditions=conditions,
            **_tags(inputs),
        )
    return answer["Rules"][0]["RuleArn"]


def _update_rule(aws: Aws, arn: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    with aws.judging:
        if "priority" in changed and "priority" in new:
            others = [rule for rule in _rules(aws, new["listenerArn"]) if rule["RuleArn"] != arn]
            if any(rule["Priority"] == str(new["priority"]) for rule in others):
                raise _in_use("SetRulePriorities", new["priority"])
            aws.ask("elbv2", "set_rule_priorities", RulePriorities=[{"RuleArn": arn, "Priority": new["priority"]}])
        asked: dict[str, Any] = {}
        if "actions" in changed:
            asked["Actions"] = [_action(action) for action in new["actions"]]
            listener = _listener(aws, new["listenerArn"])
            if listener is None:
                raise AwsError("elbv2", "ModifyRule", "RuleNotFound", "One or more rules not found")
            at, protocol = listener["LoadBalancerArn"], listener["Protocol"]
            _judge_forward(aws, "ModifyRule", at, protocol, asked["Actions"], rules=_rules_by_balancer(aws))
        if "conditions" in changed:
            asked["Conditions"] = [_condition(condition) for condition in new["conditions"]]
            _judge_conditions("ModifyRule", asked["Conditions"])
        if asked:
            aws.ask("elbv2", "modify_rule", RuleArn=arn, **asked)
    _retag(aws, arn, old, new, changed)


def _read_rule(aws: Aws, arn: str, known: Props) -> Props | None:
    gone = ("RuleNotFound", "ListenerNotFound", "LoadBalancerNotFound")
    answer = aws.found(gone, "elbv2", "describe_rules", RuleArns=[arn])
    if not answer or not answer["Rules"]:
        return None
    rule = answer["Rules"][0]
    return {
        **known,
        "arn": arn,
        "priority": int(rule["Priority"]),
        "actions": _actions_found(rule["Actions"], known.get("actions", [])),
        "conditions": [_condition_found(one) for one in rule["Conditions"]],
        **_tags_found(aws, arn, known),
    }


def _delete_rule(aws: Aws, arn: str, state: Props) -> None:  # noqa: ARG001
    aws.found(("RuleNotFound",), "elbv2", "delete_rule", RuleArn=arn)


def _rule_rule(inputs: Props) -> Iterator[str]:
    yield from _action_rule(inputs["actions"])
    for index, condition in enumerate(inputs["conditions"]):
        if len([name for name in condition if name in (*_CONDITIONS, "queryStrings")]) != 1:
            yield f"condition {index} must have exactly one of {', '.join((*_CONDITIONS, 'queryStrings'))}"
        yield from _condition_rule(f"conditions[{index}]", condition)


def _condition_rule(where: str, condition: Props) -> Iterator[str]:
    if unknown(condition):
        return
    header = condition.get("httpHeader", {"httpHeaderName": "any", "values": []})
    if not _HEADER.fullmatch(header["httpHeaderName"]):
        name = header["httpHeaderName"]
        yield f"invalid value for {where}.httpHeader.httpHeaderName ({_HEADER.pattern}): {name}"
    for value in header["values"]:
        if not 1 <= len(value) <= LONGEST_HEADER_VALUE:
            yield f"expected length of {where}.httpHeader.values to be in the range (1 - 128), got {value}"
    for value in condition.get("sourceIp", {}).get("values", []):
        if not _canonical(value):
            yield f'expected {where}.sourceIp.values to be a network\'s own CIDR, got "{value}"'


def _canonical(cidr: str) -> bool:
    try:
        return str(ip_network(cidr)) == cidr
    except ValueError:
        return False


def _priority(value: Any) -> str | None:
    if isinstance(value, int) and (1 <= value <= HIGHEST_PRIORITY or value == DEFAULT_RULE_PRIORITY):
        return None
    return (
        f"to be in the range 1-{HIGHEST_PRIORITY} for normal rule or {DEFAULT_RULE_PRIORITY} for the default rule, "
        f"got {value}"
    )


def _name(value: Any) -> str | None:
    if len(str(value)) > LONGEST_NAME:
        return f"to be at most {LONGEST_NAME} characters long, got {value}"
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?", str(value)):
        return f"to have alphanumeric characters and hyphens only, and no hyphen at either end, got {value}"
    return None


# Listener certificates


def _create_certificate(aws: Aws, inputs: Props) -> str:
    listener, certificate = inputs["listenerArn"], inputs["certificateArn"]
    _judge_certificate(aws, "AddListenerCertificates", certificate)
    aws.ask("elbv2", "add_listener_certificates", ListenerArn=listener, Certificates=[{"CertificateArn": certificate}])
    return f"{listener}_{certificate}"


def _read_certificate(aws: Aws, made: str, known: Props) -> Props | None:
    listener, certificate = made.split("_", 1)
    gone = ("ListenerNotFound", "LoadBalancerNotFound")
    answer = aws.found(gone, "elbv2", "describe_listener_certificates", ListenerArn=listener)
    found = answer and any(one["CertificateArn"] == certificate for one in answer["Certificates"])
    return known if found else None


def _delete_certificate(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    listener, certificate = made.split("_", 1)
    gone = ("ListenerNotFound", "LoadBalancerNotFound", "CertificateNotFound", "OperationNotPermitted")
    one = [{"CertificateArn": certificate}]
    aws.found(gone, "elbv2", "remove_listener_certificates", ListenerArn=listener, Certificates=one)


_ACTION: Shape = {
    "fixedResponse": block({"contentType": REQUIRED, "messageBody": GIVEN, "statusCode": COMPUTED}),
    "forward": block(
        {
            "targetGroups": set_of(
                {"arn": REQUIRED, "weight": Field(default=1, check=between(0, HIGHEST_WEIGHT))},
                key="arn",
                required=True,
                at_most=TARGET_GROUPS_PER_ACTION,
            ),
            "stickiness": block(
                {
                    "duration": Field(required=True, check=between(1, LONGEST_STICKINESS_SECONDS)),
                    "enabled": defaults(False),
                },
                computed=True,  # the provider suppresses a block that is missing
            ),
        }
    ),
    "order": Field(computed=True, check=between(1, HIGHEST_PRIORITY)),
    "redirect": block(
        {
            "host": defaults("#{host}"),
            "path": defaults("/#{path}"),
            "port": defaults("#{port}"),
            "protocol": Field(default="#{protocol}", check=one_of("#{protocol}", "HTTP", "HTTPS")),
            "query": defaults("#{query}"),
            "statusCode": Field(required=True, check=one_of("HTTP_301", "HTTP_302")),
        }
    ),
    "targetGroupArn": GIVEN,
    "type": Field(required=True, check=one_of("forward", "redirect", "fixed-response")),
}
_VALUES = block({"values": set_of(required=True)})
_LOG = block({"bucket": REQUIRED, "enabled": defaults(False), "prefix": GIVEN})

TYPES = (
    Type(
        "aws:lb/loadBalancer:LoadBalancer",
        "ELBv2 application Load Balancer",
        {
            "accessLogs": _LOG,
            "clientKeepAlive": Field(default=3600, check=between(60, 604_800)),
            "connectionLogs": _LOG,
            "desyncMitigationMode": Field(default="defensive", check=one_of("monitor", "defensive", "strictest")),
            "dnsRecordClientRoutingPolicy": defaults("any_availability_zone"),
            "dropInvalidHeaderFields": defaults(False),
            "enableCrossZoneLoadBalancing": defaults(False),
            "enableDeletionProtection": defaults(False),
            "enableHttp2": defaults(True),
            "enableTlsVersionAndCipherSuiteHeaders": defaults(False),
            "enableWafFailOpen": defaults(False),
            "enableXffClientPort": defaults(False),
            "enableZonalShift": defaults(False),
            "idleTimeout": defaults(60),
            "internal": COMPUTED_REPLACES,
            "ipAddressType": COMPUTED,
            "loadBalancerType": Field(default="application", replaces=ALWAYS, check=one_of("application")),
            "name": Field(computed=True, replaces=ALWAYS, check=_name),
            "namePrefix": COMPUTED_REPLACES,
            "preserveHostHeader": defaults(False),
            "securityGroups": set_of(computed=True),
            "subnets": set_of(required=True),
            "tags": GIVEN,
            "xffHeaderProcessingMode": Field(default="append", check=one_of("append", "preserve", "remove")),
            "arn": OUTPUT,
            "arnSuffix": OUTPUT,
            "dnsName": OUTPUT,
            "vpcId": OUTPUT,
            "zoneId": OUTPUT,
        },
        create=_create_load_balancer,
        read=_read_load_balancer,
        update=_update_load_balancer,
        delete=_delete_load_balancer,
        named="name",
        longest=LONGEST_NAME,
    ),
    Type(
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
            "name": Field(computed=True, replaces=ALWAYS, check=_name),
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
                    "cookieDuration": Field(default=86400, check=between(0, LONGEST_STICKINESS_SECONDS)),
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
        create=_create_target_group,
        read=_read_target_group,
        update=_update_target_group,
        delete=_delete_target_group,
        named="name",
        longest=LONGEST_NAME,
        rule=_target_group_rule,
    ),
    Type(
        "aws:lb/listener:Listener",
        "ELBv2 Listener",
        {
            "certificateArn": GIVEN,
            "defaultActions": list_of(_ACTION, required=True),
            "loadBalancerArn": REQUIRED_REPLACES,
            "port": Field(check=between(1, 65535)),
            "protocol": Field(computed=True, check=one_of("HTTP", "HTTPS")),
            **dict.fromkeys(_LISTENER_ATTRIBUTES, COMPUTED),
            "sslPolicy": COMPUTED,
            "tags": GIVEN,
            "arn": OUTPUT,
        },
        create=_create_listener,
        read=_read_listener,
        update=_update_listener,
        delete=_delete_listener,
        rule=_listener_rule_of_plan,
    ),
    Type(
        "aws:lb/listenerRule:ListenerRule",
        "ELBv2 Listener Rule",
        {
            "actions": list_of(_ACTION, required=True),
            "conditions": set_of(
                {
                    "hostHeader": _VALUES,
                    "httpHeader": block({"httpHeaderName": REQUIRED, "values": set_of(required=True)}),
                    "httpRequestMethod": _VALUES,
                    "pathPattern": _VALUES,
                    "queryStrings": set_of({"key": GIVEN, "value": REQUIRED}),
                    "sourceIp": _VALUES,
                },
                required=True,
            ),
            "listenerArn": REQUIRED_REPLACES,
            "priority": Field(computed=True, check=_priority),
            "tags": GIVEN,
            "arn": OUTPUT,
        },
        create=_create_rule,
        read=_read_rule,
        update=_update_rule,
        delete=_delete_rule,
        rule=_rule_rule,
    ),
    Type(
        "aws:lb/listenerCertificate:ListenerCertificate",
        "ELBv2 Listener Certificate",
        {"certificateArn": REQUIRED_REPLACES, "listenerArn": REQUIRED_REPLACES},
        create=_create_certificate,
        read=_read_certificate,
        delete=_delete_certificate,
    ),
)
