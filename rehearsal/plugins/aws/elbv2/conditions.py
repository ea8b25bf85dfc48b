"""Conditions of a rule: their shape, as ELB takes them, as the provider shows them, and what is wrong with them.

From aws_lb_listener_rule in the provider's source, and the quotas of the Application Load Balancers user guide. Refuses
to own which requests meet a condition (world/alb.py).
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import AwsError
from rehearsal.plugins.aws.elbv2 import limits
from rehearsal.plugins.aws.table import GIVEN, REQUIRED, Shape, block, set_of
from rehearsal.plugins.plugin import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.refused import Props

_HEADER = re.compile(r"[0-9A-Za-z_!#$%&'*+,.^`|~-]{1,40}")  # of aws_lb_listener_rule in the provider's source
_FIELDS = {
    "hostHeader": ("host-header", "HostHeaderConfig"),
    "httpHeader": ("http-header", "HttpHeaderConfig"),
    "httpRequestMethod": ("http-request-method", "HttpRequestMethodConfig"),
    "pathPattern": ("path-pattern", "PathPatternConfig"),
    "sourceIp": ("source-ip", "SourceIpConfig"),
}
_VALUES = block({"values": set_of(required=True)})
CONDITION: Shape = {
    "hostHeader": _VALUES,
    "httpHeader": block({"httpHeaderName": REQUIRED, "values": set_of(required=True)}),
    "httpRequestMethod": _VALUES,
    "pathPattern": _VALUES,
    "queryStrings": set_of({"key": GIVEN, "value": REQUIRED}),
    "sourceIp": _VALUES,
}


def condition_asked(condition: Props) -> dict[str, Any]:
    """Return a condition as ELB takes it."""
    for name, (field, config) in _FIELDS.items():
        if name in condition:
            given = condition[name]
            header = {"HttpHeaderName": given["httpHeaderName"]} if name == "httpHeader" else {}
            return {"Field": field, config: {**header, "Values": given["values"]}}
    queries = [
        {**({"Key": one["key"]} if "key" in one else {}), "Value": one["value"]} for one in condition["queryStrings"]
    ]
    return {"Field": "query-string", "QueryStringConfig": {"Values": queries}}


def condition_found(condition: dict[str, Any]) -> Props:
    """Return a condition as the provider shows it."""
    for name, (field, config) in _FIELDS.items():
        if condition["Field"] == field:
            found = condition.get(config) or {"Values": condition.get("Values", [])}
            header = {"httpHeaderName": found["HttpHeaderName"]} if name == "httpHeader" else {}
            return {name: {**header, "values": found["Values"]}}
    found = condition["QueryStringConfig"]["Values"]
    return {"queryStrings": [{key.lower(): value for key, value in one.items()} for one in found]}


def judge_conditions(operation: str, conditions: list[dict[str, Any]]) -> None:
    """Refuse more values or wildcards than a rule can have.

    :raises AwsError: there are more
    """
    configs = [value for one in conditions for key, value in one.items() if key.endswith("Config")]
    values = [value for config in configs for value in config["Values"]]
    if len(values) > limits.CONDITION_VALUES_PER_RULE:
        raise AwsError(
            "elbv2",
            operation,
            "ValidationError",
            f"A rule can only have '{limits.CONDITION_VALUES_PER_RULE}' condition values",
        )
    wild = sum(len(re.findall(r"[*?]", value)) for value in values if isinstance(value, str))
    if wild > limits.CONDITION_WILDCARDS_PER_RULE:
        raise AwsError(
            "elbv2",
            operation,
            "ValidationError",
            f"A rule can only have '{limits.CONDITION_WILDCARDS_PER_RULE}' condition wildcards",
        )


def condition_faults(conditions: list[Props]) -> Iterator[str]:
    """Yield what the provider's plan refuses of conditions."""
    for index, condition in enumerate(conditions):
        if len([name for name in condition if name in CONDITION]) != 1:
            yield f"condition {index} must have exactly one of {', '.join((*_FIELDS, 'queryStrings'))}"
        yield from _value_faults(f"conditions[{index}]", condition)


def _value_faults(where: str, condition: Props) -> Iterator[str]:
    if unknown(condition):
        return
    header = condition.get("httpHeader", {"httpHeaderName": "any", "values": []})
    if not _HEADER.fullmatch(header["httpHeaderName"]):
        name = header["httpHeaderName"]
        yield f"invalid value for {where}.httpHeader.httpHeaderName ({_HEADER.pattern}): {name}"
    for value in header["values"]:
        if not 1 <= len(value) <= limits.LONGEST_HEADER_VALUE:
            yield f"expected length of {where}.httpHeader.values to be in the range (1 - 128), got {value}"
    for value in condition.get("sourceIp", {}).get("values", []):
        if not _canonical(value):
            yield f'expected {where}.sourceIp.values to be a network\'s own CIDR, got "{value}"'


def _canonical(cidr: str) -> bool:
    try:
        return str(ip_network(cidr)) == cidr
    except ValueError:
        return False
