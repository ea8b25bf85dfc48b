"""The emulated load balancer: in two zones, under a name that no other has, and deleted only without protection.

From the Application Load Balancers user guide and the provider's plan checks. Refuses to own what stands on it, and the
forwarding of requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.session import Aws, AwsError
from rehearsal.plugins.aws.calls import named, spelled, tags_asked
from rehearsal.plugins.aws.elbv2 import limits
from rehearsal.plugins.aws.elbv2.attributes import as_given, attribute_text, attributes_asked, attributes_told
from rehearsal.plugins.aws.elbv2.standing import every_load_balancer, find_load_balancer
from rehearsal.plugins.aws.elbv2.tags import retag, tags_found
from rehearsal.plugins.aws.table import (
    ALWAYS,
    COMPUTED,
    COMPUTED_REPLACES,
    GIVEN,
    OUTPUT,
    REQUIRED,
    Field,
    Type,
    between,
    block,
    defaults,
    one_of,
    set_of,
)

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props

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
_LOG = block({"bucket": REQUIRED, "enabled": defaults(False), "prefix": GIVEN})


def _judge_subnets(aws: Aws, operation: str, inputs: Props) -> None:
    subnets = aws.ask("ec2", "describe_subnets", SubnetIds=inputs["subnets"])["Subnets"]
    zones = [subnet["AvailabilityZone"] for subnet in subnets]
    if len(set(zones)) < limits.LEAST_ZONES:
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
    six = [subnet["Ipv6CidrBlockAssociationSet"] for subnet in subnets]
    if inputs.get("ipAddressType") == "dualstack" and not all(six):
        says = "You must specify subnets with an associated IPv6 CIDR block"
        raise AwsError("elbv2", operation, "InvalidConfigurationRequest", says)


def _create(aws: Aws, inputs: Props) -> str:
    name = named(inputs)
    if name.startswith("internal-"):
        raise AwsError("elbv2", "CreateLoadBalancer", "ValidationError", f"The load balancer name '{name}' is reserved")
    if any(one["LoadBalancerName"] == name for one in every_load_balancer(aws)):
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
        **spelled(inputs, {"securityGroups": "SecurityGroups"}),
        **tags_asked(inputs),
    )["LoadBalancers"][0]["LoadBalancerArn"]
    _set_attributes(aws, arn, inputs)
    return arn


def _set_attributes(aws: Aws, arn: str, inputs: Props) -> None:
    attributes = attributes_asked(inputs, _ATTRIBUTES)
    for name, prefix in _LOGS.items():
        if logs := inputs.get(name):
            attributes += [{"Key": f"{prefix}.{key}", "Value": attribute_text(value)} for key, value in logs.items()]
    aws.ask("elbv2", "modify_load_balancer_attributes", LoadBalancerArn=arn, Attributes=attributes)


def _update(aws: Aws, arn: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "subnets" in changed:
        _judge_subnets(aws, "SetSubnets", new)
        aws.ask("elbv2", "set_subnets", LoadBalancerArn=arn, Subnets=new["subnets"])
    if "securityGroups" in changed:
        aws.ask("elbv2", "set_security_groups", LoadBalancerArn=arn, SecurityGroups=new["securityGroups"])
    if "ipAddressType" in changed:
        _judge_subnets(aws, "SetIpAddressType", new)
        aws.ask("elbv2", "set_ip_address_type", LoadBalancerArn=arn, IpAddressType=new["ipAddressType"])
    logs_off = {name: {"enabled": False} for name in _LOGS if name in old and name not in new}
    _set_attributes(aws, arn, {**new, **logs_off})
    retag(aws, arn, old, new, changed)


def _read(aws: Aws, arn: str, known: Props) -> Props | None:
    balancer = find_load_balancer(aws, arn)
    if balancer is None:
        return None
    have = attributes_told(aws, "describe_load_balancer_attributes", LoadBalancerArn=arn)
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
        "loadBalancerType": balancer["Type"],
        "ipAddressType": balancer["IpAddressType"],
        "securityGroups": balancer.get("SecurityGroups", []),
        "subnets": [zone["SubnetId"] for zone in balancer["AvailabilityZones"]],
        **{
            name: as_given(known.get(name, TYPE.shape[name].default), have[key])
            for name, key in _ATTRIBUTES.items()
            if key in have and (name in known or not known)
        },
        **tags_found(aws, arn, known),
    }


def _delete(aws: Aws, arn: str, state: Props) -> None:  # noqa: ARG001
    if find_load_balancer(aws, arn) is None:
        return
    have = attributes_told(aws, "describe_load_balancer_attributes", LoadBalancerArn=arn)
    if have.get(_ATTRIBUTES["enableDeletionProtection"]) == "true":
        raise AwsError(
            "elbv2",
            "DeleteLoadBalancer",
            "OperationNotPermitted",
            f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
        )
    aws.ask("elbv2", "delete_load_balancer", LoadBalancerArn=arn)


TYPE = Type(
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
        "name": Field(computed=True, replaces=ALWAYS, check=limits.wrong_name),
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
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    named="name",
    longest=limits.LONGEST_NAME,
)
