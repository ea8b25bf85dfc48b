"""Logins before a forward, which moto takes as they come and tells with their secret.

Sources: ELB's API reference (Action, AuthenticateOidcActionConfig) and its user guide (listener rules): a login stands
on HTTPS alone, before one other action, which comes last, and before no target group that speaks gRPC or HTTP/2. The
secret of a client is told nobody; whoever changes a rule gives it anew, or says that it stays. Refuses to own what a
load balancer does with a login (world/alb.py), and the default actions of listeners.
"""

from __future__ import annotations

from typing import Any

from moto.elbv2.exceptions import InvalidLoadBalancerActionException, ValidationError
from moto.elbv2.models import ELBv2Backend

_LAST = {"forward", "redirect", "fixed-response"}
_CONFIG = {"authenticate-oidc": "AuthenticateOidcConfig", "authenticate-cognito": "AuthenticateCognitoConfig"}
_LEFT_OUT = {
    "OnUnauthenticatedRequest": "authenticate",
    "Scope": "openid",
    "SessionCookieName": "AWSELBAuthSessionCookie",
    "SessionTimeout": 604800,
}
_create, _modify = ELBv2Backend.create_rule, ELBv2Backend.modify_rule


def install() -> None:
    """Let moto refuse what ELB refuses of logins, and tell of them what ELB tells."""
    ELBv2Backend.create_rule = _create_rule  # pyright: ignore[reportAttributeAccessIssue]
    ELBv2Backend.modify_rule = _modify_rule


def _create_rule(self: ELBv2Backend, listener_arn: str, actions: Any, **asked: Any) -> Any:
    return _create(self, listener_arn, actions=_kept(self, listener_arn, actions, known=False), **asked)


def _modify_rule(self: ELBv2Backend, rule_arn: str, conditions: Any, actions: Any) -> Any:
    if actions:
        (rule,) = self.describe_rules(None, [rule_arn]) or (None,)
        known = bool(rule) and any(action.type == "authenticate-oidc" for action in rule.actions)
        listener = rule_arn.replace(":listener-rule/", ":listener/").rpartition("/")[0]
        actions = _kept(self, listener, actions, known=known)
    return _modify(self, rule_arn, conditions, actions)


def _kept(self: ELBv2Backend, listener_arn: str, actions: list[dict[str, Any]], *, known: bool) -> list[dict[str, Any]]:
    """Return actions as they are told from now on; ``known`` is whether the rule has a secret already."""
    if not any(action["Type"] in _CONFIG for action in actions):
        return actions
    (listener,) = self.describe_listeners(None, [listener_arn])
    if listener.protocol != "HTTPS":
        raise InvalidLoadBalancerActionException("Actions that authenticate users are for HTTPS listeners only")
    ordered = sorted(actions, key=lambda action: int(action.get("Order", 1)))
    if len({int(action.get("Order", 1)) for action in actions}) < len(actions):
        raise ValidationError("The order of each action of a rule must be unique")
    if [action["Type"] in _LAST for action in ordered] != [*[False] * (len(ordered) - 1), True]:
        raise InvalidLoadBalancerActionException("A rule must have exactly one routing action, which must be the last")
    for arn in self._get_target_group_arns_from(ordered[-1]):  # pyright: ignore[reportPrivateUsage]
        group = self.target_groups.get(arn)
        if group and group.protocol_version in {"GRPC", "HTTP2"}:
            raise InvalidLoadBalancerActionException(
                f"Target group '{arn}' of protocol version {group.protocol_version} takes forward actions only"
            )
    return [_told(action, known=known) for action in ordered]


def _told(action: dict[str, Any], *, known: bool) -> dict[str, Any]:
    name = _CONFIG.get(action["Type"])
    if name is None:
        return action
    if name not in action:
        raise ValidationError(f"{name} must be specified for action type '{action['Type']}'")
    config = {**_LEFT_OUT, **action[name]}
    secret, stays = config.pop("ClientSecret", ""), str(config.pop("UseExistingClientSecret", "")).lower() == "true"
    if name == "AuthenticateOidcConfig" and not (secret or (stays and known)):
        raise ValidationError("ClientSecret must be specified, unless the existing one is used")
    return {**action, name: config}
