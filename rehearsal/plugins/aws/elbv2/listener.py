"""The emulated listener: a port of a load balancer, its certificate, and what it does by default.

From the provider's source and the Application Load Balancers user guide. Refuses to own further
certificates and rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import Aws, AwsError
from rehearsal.plugins.aws.calls import tags_asked
from rehearsal.plugins.aws.elbv2.actions import ACTION, action_asked, action_faults, actions_found
from rehearsal.plugins.aws.elbv2.attributes import attributes_asked, attributes_told
from rehearsal.plugins.aws.elbv2.certificates import judge_certificate
from rehearsal.plugins.aws.elbv2.forwards import judge_forward
from rehearsal.plugins.aws.elbv2.standing import find_listener, listeners_of, rules_by_load_balancer
from rehearsal.plugins.aws.elbv2.tags import retag, tags_found
from rehearsal.plugins.aws.table import (
    COMPUTED,
    GIVEN,
    OUTPUT,
    REQUIRED_REPLACES,
    Field,
    Type,
    between,
    list_of,
    one_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.refused import Props

_BANNER = "routingHttpResponseServerEnabled"  # the only one that is no text
_ATTRIBUTES = {
    _BANNER: "routing.http.response.server.enabled",
    "routingHttpResponseStrictTransportSecurityHeaderValue": (
        "routing.http.response.strict_transport_security.header_value"
    ),
    "routingHttpResponseXContentTypeOptionsHeaderValue": "routing.http.response.x_content_type_options.header_value",
    "routingHttpResponseXFrameOptionsHeaderValue": "routing.http.response.x_frame_options.header_value",
    "routingHttpResponseContentSecurityPolicyHeaderValue": (
        "routing.http.response.content_security_policy.header_value"
    ),
}


def _protocol(inputs: Props) -> str:
    return inputs.get("protocol") or ("HTTPS" if "certificateArn" in inputs else "HTTP")


def _asked(aws: Aws, operation: str, inputs: Props) -> dict[str, Any]:
    protocol = _protocol(inputs)
    asked: dict[str, Any] = {"Port": inputs.get("port", 443 if protocol == "HTTPS" else 80), "Protocol": protocol}
    if protocol == "HTTPS":
        if "certificateArn" not in inputs:
            raise AwsError("elbv2", operation, "ValidationError", "A certificate must be specified for HTTPS listeners")
        judge_certificate(aws, operation, inputs["certificateArn"])
        asked["Certificates"] = [{"CertificateArn": inputs["certificateArn"]}]
        asked["SslPolicy"] = inputs.get("sslPolicy", "ELBSecurityPolicy-2016-08")
    elif "certificateArn" in inputs:
        raise AwsError("elbv2", operation, "ValidationError", "A certificate cannot be specified for HTTP listeners")
    return asked


def _create(aws: Aws, inputs: Props) -> str:
    actions = [action_asked(action) for action in inputs["defaultActions"]]
    at = inputs["loadBalancerArn"]
    asked = _asked(aws, "CreateListener", inputs)
    with aws.judging:
        judge_forward(aws, "CreateListener", at, asked["Protocol"], actions, rules=rules_by_load_balancer(aws))
        if any(one["Port"] == asked["Port"] for one in listeners_of(aws, at)):
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
            **tags_asked(inputs),
        )
    arn = answer["Listeners"][0]["ListenerArn"]
    _set_attributes(aws, arn, inputs)
    return arn


def _policy(name: str | None) -> dict[str, str]:
    return {"SslPolicy": name} if name else {}


def _set_attributes(aws: Aws, arn: str, inputs: Props) -> None:
    if attributes := attributes_asked(inputs, _ATTRIBUTES):
        aws.ask("elbv2", "modify_listener_attributes", ListenerArn=arn, Attributes=attributes)


def _attributes_found(aws: Aws, arn: str) -> Props:
    told = attributes_told(aws, "describe_listener_attributes", ListenerArn=arn)
    found = {name: told[key] for name, key in _ATTRIBUTES.items() if told.get(key)}
    return {name: text == "true" if name == _BANNER else text for name, text in found.items()}


def _update(aws: Aws, arn: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    asked = _asked(aws, "ModifyListener", new)
    policy = asked.pop("SslPolicy", None)
    with aws.judging:
        if "defaultActions" in changed:
            asked["DefaultActions"] = [action_asked(action) for action in new["defaultActions"]]
            at, actions, rules = new["loadBalancerArn"], asked["DefaultActions"], rules_by_load_balancer(aws)
            judge_forward(aws, "ModifyListener", at, asked["Protocol"], actions, rules=rules)
        aws.ask("elbv2", "modify_listener", ListenerArn=arn, **asked, **_policy(policy))
    _set_attributes(aws, arn, new)
    retag(aws, arn, old, new, changed)


def _read(aws: Aws, arn: str, known: Props) -> Props | None:
    listener = find_listener(aws, arn)
    if listener is None:
        return None
    certificates = listener.get("Certificates") or []
    secured = {"sslPolicy": listener["SslPolicy"]} if listener.get("SslPolicy") else {"sslPolicy": ""}
    return {
        **known,
        **({} if known else _attributes_found(aws, arn)),
        "arn": arn,
        "loadBalancerArn": listener["LoadBalancerArn"],
        "port": int(listener["Port"]),
        "protocol": listener["Protocol"],
        "defaultActions": actions_found(listener["DefaultActions"], known.get("defaultActions", [])),
        **secured,
        **({"certificateArn": certificates[0]["CertificateArn"]} if certificates else {}),
        **tags_found(aws, arn, known),
    }


def _delete(aws: Aws, arn: str, state: Props) -> None:  # noqa: ARG001
    if find_listener(aws, arn):
        aws.ask("elbv2", "delete_listener", ListenerArn=arn)


def _rule(inputs: Props) -> Iterator[str]:
    yield from action_faults(inputs["defaultActions"])


TYPE = Type(
    "aws:lb/listener:Listener",
    "ELBv2 Listener",
    {
        "certificateArn": GIVEN,
        "defaultActions": list_of(ACTION, required=True),
        "loadBalancerArn": REQUIRED_REPLACES,
        "port": Field(check=between(1, 65535)),
        "protocol": Field(computed=True, check=one_of("HTTP", "HTTPS")),
        **dict.fromkeys(_ATTRIBUTES, COMPUTED),
        "sslPolicy": COMPUTED,
        "tags": GIVEN,
        "arn": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    rule=_rule,
)
