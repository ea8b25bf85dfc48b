"""`routes.NAME.authenticate`: who must have logged in before a request is forwarded. What each key takes.

Names and bounds are those of ELB's API (AuthenticateOidcActionConfig, AuthenticateCognitoActionConfig). Whatever ELB
would fill in is filled in here: the provider takes a key that is left out for one that may stay as it was. Refuses to
own where it stands in a rule (components/authentication.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from settings.values import DNS_NAME, Model, edited, rule, seconds, text

LONGEST_SESSION_SECONDS = 604800  # a week

Endpoint = Annotated[
    str,
    rule(
        "CUT402",
        text(rf"https://(?i:{DNS_NAME})(:[0-9]{{1,5}})?(/[!-~]*)?"),
        "this is no address that begins with https:// and a host. ELB would refuse the rule, and the update would stop "
        "at it. Write it as the identity provider's /.well-known/openid-configuration has it",
    ),
]

ClientId = Annotated[
    str,
    rule(
        "CUT403",
        text(r"[!-~]{1,256}"),
        "the id of a client is text without spaces. ELB would refuse the rule, and the update would stop at it. Write "
        "it as the identity provider shows it, in quotes",
    ),
]

ClientSecret = Annotated[
    SecretStr,
    rule(
        "CUT404",
        text(r"[!-~]{1,1024}"),
        "the secret of a client is text without spaces. ELB would refuse the rule, and the update would stop at it. "
        "Set it as the identity provider shows it, with `pulumi config set --secret --path` and this key",
    ),
]

Scope = Annotated[
    str,
    rule(
        "CUT405",
        text(r"[!-~]+( [!-~]+)*"),
        "a scope is words with one space between them. The identity provider would not know what it is asked for. "
        "Write e.g. openid email",
    ),
]

CookieName = Annotated[
    str,
    rule(
        "CUT406",
        text(r"(?!AWSALB)[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}"),
        "the name of a cookie is letters, digits, hyphens and underscores, and those with AWSALB are ELB's own. No "
        "browser would send it back, and everybody would have to log in forever. Write e.g. ShopSession",
    ),
]

UserPoolArn = Annotated[
    str,
    rule(
        "CUT407",
        text(r"arn:aws[a-z-]*:cognito-idp:[a-z0-9-]+:[0-9]{12}:userpool/[a-z0-9-]+_[0-9A-Za-z]+"),
        "this is no ARN of a user pool. ELB would refuse the rule, and the update would stop at it. Take it from "
        "`aws cognito-idp describe-user-pool`",
    ),
]

UserPoolDomain = Annotated[
    str,
    rule(
        "CUT408",
        text(rf"[a-z0-9]([a-z0-9-]{{0,61}}[a-z0-9])?|{DNS_NAME}"),
        "the domain of a user pool is the beginning of its address at Cognito, or a name of your own in full. Nobody "
        "could log in. Take it from `aws cognito-idp describe-user-pool`, without https://",
    ),
]


class _Login(Model):
    """What both kinds have."""

    on_unauthenticated_request: Literal["authenticate", "allow", "deny"] = Field(
        default="authenticate",
        description="what becomes of a request without a session: authenticate leads to the login, deny answers 401, "
        "allow forwards it, without the headers that tell who it is",
    )
    scope: Scope = Field(default="openid", description="which claims of the user are asked for")
    session_cookie_name: CookieName = Field(
        default="AWSELBAuthSessionCookie",
        description="the cookie of the session; of its own for each kind of login on a load balancer",
        json_schema_extra=edited("applied in place, and everybody logs in again"),
    )
    session_timeout: Annotated[int, seconds("CUT409", 1, LONGEST_SESSION_SECONDS, "a session", "e.g. 28800")] = Field(
        default=LONGEST_SESSION_SECONDS, description="seconds that a session lasts, 1 to 604800"
    )


class Oidc(_Login):
    """An identity provider that speaks OpenID Connect."""

    issuer: Endpoint = Field(description="its issuer")
    authorization_endpoint: Endpoint = Field(description="where a browser is led to log in")
    token_endpoint: Endpoint = Field(description="where the load balancer gets tokens, which it must reach")
    user_info_endpoint: Endpoint = Field(description="where the load balancer asks who a user is")
    client_id: ClientId = Field(description="the id of the client that the identity provider has for this")
    client_secret: ClientSecret | None = Field(
        default=None,
        description="the client's secret, sealed: `pulumi config set --secret --path "
        "'eks-cutover:routes.NAME.authenticate.oidc.clientSecret'`",
    )

    @property
    def asks(self) -> tuple[str, str]:
        """Whom it asks, and as which client."""
        return self.issuer, self.client_id


class Cognito(_Login):
    """A user pool of Cognito."""

    user_pool_arn: UserPoolArn = Field(description="the user pool")
    user_pool_client_id: ClientId = Field(description="the id of the pool's client for this, which has a secret")
    user_pool_domain: UserPoolDomain = Field(description="the pool's domain: the beginning of its address, or a name")

    @property
    def asks(self) -> tuple[str, str]:
        """Whom it asks, and as which client."""
        return self.user_pool_arn, self.user_pool_client_id


class Authentication(Model):
    """Who must have logged in before a request is forwarded, to any cluster and in a preview too."""

    oidc: Oidc | None = Field(default=None, description="by an identity provider that speaks OpenID Connect")
    cognito: Cognito | None = Field(default=None, description="by a user pool of Cognito")

    @property
    def login(self) -> Oidc | Cognito | None:
        """The one of the two that is written."""
        return self.oidc or self.cognito

    @property
    def keeps_out(self) -> bool:
        """Whether nobody is let in without a login."""
        return self.login is not None and self.login.on_unauthenticated_request != "allow"
