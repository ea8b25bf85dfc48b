"""Actions of listeners and rules: their shape, as ELB takes them, and as the provider shows them.

From the provider's source: which properties an action must have, and in which of two forms a forward is kept. Refuses
to judge the target groups of a forward (forwards.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.plugins.aws.calls import spelled
from rehearsal.plugins.aws.elbv2 import limits
from rehearsal.plugins.aws.table import (
    COMPUTED,
    GIVEN,
    REQUIRED,
    SEALED,
    Field,
    Shape,
    between,
    block,
    defaults,
    one_of,
    set_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.refused import Props

_REDIRECT = {
    "host": "Host",
    "path": "Path",
    "port": "Port",
    "protocol": "Protocol",
    "query": "Query",
    "statusCode": "StatusCode",
}
_LOGIN = {
    "onUnauthenticatedRequest": "OnUnauthenticatedRequest",
    "scope": "Scope",
    "sessionCookieName": "SessionCookieName",
    "sessionTimeout": "SessionTimeout",
}
_OIDC = {
    **_LOGIN,
    "authorizationEndpoint": "AuthorizationEndpoint",
    "clientId": "ClientId",
    "clientSecret": "ClientSecret",
    "issuer": "Issuer",
    "tokenEndpoint": "TokenEndpoint",
    "userInfoEndpoint": "UserInfoEndpoint",
}
_COGNITO = {
    **_LOGIN,
    "userPoolArn": "UserPoolArn",
    "userPoolClientId": "UserPoolClientId",
    "userPoolDomain": "UserPoolDomain",
}
_LOGIN_SHAPE: Shape = {
    "onUnauthenticatedRequest": Field(computed=True, check=one_of("deny", "allow", "authenticate")),
    "scope": COMPUTED,
    "sessionCookieName": COMPUTED,
    "sessionTimeout": COMPUTED,
}
_FIXED = {"contentType": "ContentType", "messageBody": "MessageBody", "statusCode": "StatusCode"}
ACTION: Shape = {
    "authenticateCognito": block({**dict.fromkeys(_COGNITO, REQUIRED), **_LOGIN_SHAPE}),
    "authenticateOidc": block({**dict.fromkeys(_OIDC, REQUIRED), **_LOGIN_SHAPE, "clientSecret": SEALED}),
    "fixedResponse": block({"contentType": REQUIRED, "messageBody": GIVEN, "statusCode": COMPUTED}),
    "forward": block(
        {
            "targetGroups": set_of(
                {"arn": REQUIRED, "weight": Field(default=1, check=between(0, limits.HIGHEST_WEIGHT))},
                key="arn",
                required=True,
                at_most=limits.TARGET_GROUPS_PER_ACTION,
            ),
            "stickiness": block(
                {
                    "duration": Field(required=True, check=between(1, limits.LONGEST_STICKINESS_SECONDS)),
                    "enabled": defaults(False),
                },
                computed=True,  # the provider suppresses a block that is missing
            ),
        }
    ),
    "order": Field(computed=True, check=between(1, limits.HIGHEST_PRIORITY)),
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
    "type": Field(
        required=True,
        check=one_of("forward", "redirect", "fixed-response", "authenticate-cognito", "authenticate-oidc"),
    ),
}

_BLOCKS = {
    "redirect": "redirect",
    "fixed-response": "fixedResponse",
    "authenticate-oidc": "authenticateOidc",
    "authenticate-cognito": "authenticateCognito",
}


def action_asked(action: Props) -> dict[str, Any]:
    """Return an action as ELB takes it."""
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
    if "authenticateOidc" in action:
        asked["AuthenticateOidcConfig"] = spelled(action["authenticateOidc"], _OIDC)
    if "authenticateCognito" in action:
        asked["AuthenticateCognitoConfig"] = spelled(action["authenticateCognito"], _COGNITO)
    if "redirect" in action:
        asked["RedirectConfig"] = {key: action["redirect"][name] for name, key in _REDIRECT.items()}
    if "fixedResponse" in action:
        asked["FixedResponseConfig"] = spelled(action["fixedResponse"], _FIXED)
    return asked


def actions_found(found: list[Any], known: list[Props]) -> list[Props]:
    """Return actions as the provider shows them: a forward in the form that the program uses; in both, imported."""
    return [
        _action_found(action, known[index] if index < len(known) else {}, index + 1)
        for index, action in enumerate(found)
    ]


def _action_found(action: dict[str, Any], known: Props, order: int) -> Props:
    shown: Props = {"type": action["Type"], "order": action.get("Order", order)}
    if action["Type"] == "forward":
        config = action.get("ForwardConfig", {})
        groups = config.get("TargetGroups") or [{"TargetGroupArn": action["TargetGroupArn"], "Weight": 1}]
        if len(groups) == 1 and ("targetGroupArn" in known or not known):
            shown["targetGroupArn"] = groups[0]["TargetGroupArn"]
        if "targetGroupArn" not in known or len(groups) > 1:
            sticky = config.get("TargetGroupStickinessConfig", {})
            shown["forward"] = {
                "targetGroups": [{"arn": one["TargetGroupArn"], "weight": int(one["Weight"])} for one in groups],
                "stickiness": {
                    "enabled": bool(sticky.get("Enabled")),
                    "duration": int(sticky.get("DurationSeconds", 3600)),
                },
            }
    if "AuthenticateOidcConfig" in action:
        # ELB never tells the secret: the provider passes on what it knows.
        secret = {"ClientSecret": known.get("authenticateOidc", {}).get("clientSecret")}
        shown["authenticateOidc"] = _found({**action["AuthenticateOidcConfig"], **secret}, _OIDC)
    if "AuthenticateCognitoConfig" in action:
        shown["authenticateCognito"] = _found(action["AuthenticateCognitoConfig"], _COGNITO)
    if "RedirectConfig" in action:
        shown["redirect"] = {name: action["RedirectConfig"].get(key) for name, key in _REDIRECT.items()}
    if "FixedResponseConfig" in action:
        fixed = action["FixedResponseConfig"]
        shown["fixedResponse"] = {name: fixed[key] for name, key in _FIXED.items() if key in fixed}
    return shown


def _found(config: dict[str, Any], names: dict[str, str]) -> Props:
    found = {name: config[key] for name, key in names.items() if config.get(key) is not None}
    return {**found, "sessionTimeout": int(found["sessionTimeout"])}


def action_faults(actions: list[Props]) -> Iterator[str]:
    """Yield what the provider's plan refuses of actions."""
    for index, action in enumerate(actions):
        kind = action["type"]
        forwards = [name for name in ("forward", "targetGroupArn") if name in action]
        if kind == "forward" and not forwards:
            yield f'action {index} of type "forward" needs one of "targetGroupArn" or "forward"'
        if len(forwards) > 1:
            arns = {group["arn"] for group in action["forward"]["targetGroups"]}
            if arns != {action["targetGroupArn"]}:
                yield f'action {index} gives both "targetGroupArn" and "forward", with different target groups'
        for wanted, name in _BLOCKS.items():
            if kind == wanted and name not in action:
                yield f'action {index} of type "{wanted}" needs "{name}"'
