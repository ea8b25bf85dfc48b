"""What stands before a forward where users must log in: the first action of the rule.

Refuses to own the forward (route.py), and what each key takes (settings/authentication.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi_aws as aws

from settings.authentication import Oidc

if TYPE_CHECKING:
    from settings.authentication import Authentication, Cognito

_Action = aws.lb.ListenerRuleActionArgs


def authenticated(forward: aws.lb.ListenerRuleActionArgs, by: Authentication | None) -> list[_Action]:
    """Return the actions of a rule: the forward, and before it the login, where there is one."""
    if by is None or by.login is None:
        return [forward]
    forward.order = 2
    return [_oidc(by.login) if isinstance(by.login, Oidc) else _cognito(by.login), forward]


def _oidc(login: Oidc) -> _Action:
    config = aws.lb.ListenerRuleActionAuthenticateOidcArgs(
        issuer=login.issuer,
        authorization_endpoint=login.authorization_endpoint,
        token_endpoint=login.token_endpoint,
        user_info_endpoint=login.user_info_endpoint,
        client_id=login.client_id,
        # Not marked as a secret here: that would seal all of the actions, the weights among them. The provider marks
        # it, and it alone (ADR 26).
        client_secret=login.client_secret.get_secret_value() if login.client_secret else "",
        **_common(login),
    )
    return _Action(type="authenticate-oidc", order=1, authenticate_oidc=config)


def _cognito(login: Cognito) -> _Action:
    config = aws.lb.ListenerRuleActionAuthenticateCognitoArgs(
        user_pool_arn=login.user_pool_arn,
        user_pool_client_id=login.user_pool_client_id,
        user_pool_domain=login.user_pool_domain,
        **_common(login),
    )
    return _Action(type="authenticate-cognito", order=1, authenticate_cognito=config)


def _common(login: Oidc | Cognito) -> dict[str, Any]:
    return {
        "on_unauthenticated_request": login.on_unauthenticated_request,
        "scope": login.scope,
        "session_cookie_name": login.session_cookie_name,
        "session_timeout": login.session_timeout,
    }
