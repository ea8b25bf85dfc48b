"""The `aws:` keys of the provider, and the stack's name: what each takes, and what another value would cost."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from settings.owner import is_reserved
from settings.values import Model, Several, refused, rule, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# AWS takes 50 tags. A target group has 6 that are not the user's: two owners' of the program, its route, its cluster,
# and the provider's pulumi:project and pulumi:stack.
MAX_TAGS = 50 - 6

_TAG_SIGNS = "_.:/=+-@"


def tag(least: int, most: int) -> Callable[[Any], bool]:
    """Hold for text that IAM takes in a tag, and with it every service that gets the tags."""
    return lambda value: (
        isinstance(value, str)
        and least <= len(value) <= most
        and not value.lower().startswith("aws:")
        and all(sign in _TAG_SIGNS or unicodedata.category(sign)[0] in "LNZ" for sign in value)
    )


def apart_in_iam(tags: Mapping[str, str]) -> Mapping[str, str]:
    """Check that the keys of tags differ in more than case, which is all that IAM looks at."""
    seen: dict[str, str] = {}
    for key in tags:
        first = seen.setdefault(key.lower(), key)
        if first != key:
            says = f"{first} and {key} are one key to IAM. It would refuse every role halfway through the update"
            raise refused("CUT103", f"{says}. Leave one out")
    return tags


StackName = Annotated[
    str,
    rule(
        "CUT108",
        text(r"(?=.{1,55}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?"),
        "a stack's name here is at most 55 lower-case letters, digits and hyphens: EKS clusters and meshes are named "
        "after it, and AWS would refuse them. Make the stack under another name with `pulumi stack init`",
    ),
]

Region = Annotated[
    str,
    rule(
        "CUT109",
        text(r"[a-z]{2,4}(-[a-z]+)+-[0-9]"),
        "this is no region. No call to AWS would find its way. Write e.g. ap-northeast-1",
    ),
]

TagKey = Annotated[
    str,
    rule(
        "CUT122",
        tag(1, 128),
        "a tag's key is 1 to 128 letters, digits, spaces and _ . : / = + - @. IAM would refuse every role, halfway "
        "through the update. Write it with these alone",
    ),
    rule(
        "CUT123",
        lambda value: not is_reserved(value),
        "this tag is the program's, Pulumi's or AWS's own. With another value on every resource the gate and the "
        "commands would not find the stack's rules, or take another's for them. Remove it, or name it otherwise",
    ),
]

TagValue = Annotated[
    str,
    rule(
        "CUT124",
        tag(0, 256),
        "a tag's value is text of at most 256 letters, digits, spaces and _ . : / = + - @, and does not begin with "
        "aws:. IAM would refuse every role, halfway through the update. Write it with these alone, a number in quotes",
    ),
]

Tags = Annotated[
    dict[TagKey, TagValue],
    AfterValidator(apart_in_iam),
    rule(
        "CUT125",
        lambda value: not isinstance(value, dict) or len(value) <= MAX_TAGS,
        f"more than {MAX_TAGS} tags. AWS takes 50, and the program and Pulumi have 6 of their own on a target group. "
        "The update would stop halfway. Leave some out",
    ),
]

AccountId = Annotated[
    str,
    rule(
        "CUT128",
        text(r"[0-9]{12}"),
        "an account's id is text of 12 digits. Without quotes YAML reads a number, which may lose its zeros, and no "
        'account would be the right one. Write e.g. "123456789012"',
    ),
]

RoleArn = Annotated[
    str,
    rule(
        "CUT140",
        text(r"arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+"),
        "this is no ARN of an IAM role or user. AWS would refuse it. Write e.g. arn:aws:iam::123456789012:role/sre",
    ),
]

AssumableRoleArn = Annotated[
    str,
    rule(
        "CUT141",
        text(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+"),
        "this is no ARN of an IAM role, and only a role can be assumed. No call to AWS would be let in. Write e.g. "
        "arn:aws:iam::123456789012:role/deployer",
    ),
]

SessionName = Annotated[
    str,
    rule(
        "CUT142",
        text(r"[A-Za-z0-9_+=,.@-]{2,64}"),
        "a session's name is text of 2 to 64 letters, digits and _ + = , . @ -. STS would refuse it. Write e.g. deploy",
    ),
]

ExternalId = Annotated[
    str,
    rule(
        "CUT143",
        text(r"[A-Za-z0-9_+=,.@:/-]{2,1224}"),
        "an external id is text of 2 to 1224 letters, digits and _ + = , . @ : / -. STS would refuse it. Write it as "
        "the role's trust has it, in quotes",
    ),
]


def account_of(arn: str) -> str:
    """Return the account that an ARN names."""
    return arn.split(":")[4]


_PARTITIONS = {  # by how the names of their regions begin
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}


class AssumedRole(Model):
    """A role that the AWS provider assumes."""

    role_arn: AssumableRoleArn = Field(description="the role")
    session_name: SessionName | None = Field(default=None, description="how the session is named in CloudTrail")
    external_id: ExternalId | None = Field(
        default=None, description="refused here: an external id belongs into a profile"
    )


class DefaultTags(Model):
    """Tags of every resource."""

    tags: Tags = Field(description="tags of every resource that the stack makes")


class Aws(Model):
    """The ``aws:`` configuration, which the stack's one explicit provider is given."""

    region: Region = Field(description="the region, such as ap-northeast-1")
    profile: str | None = Field(default=None, description="a profile of the AWS configuration files")
    assume_roles: tuple[AssumedRole, ...] = Field(default=(), description="the role to assume")
    allowed_account_ids: Several[AccountId] = Field(default=(), description="refuse to run in any other account")
    default_tags: DefaultTags | None = Field(default=None, description="tags of every resource")

    def elsewhere(self, role_arn: str | None) -> Aws:
        """Return what a provider and a session elsewhere use: one role, assumed by whom the profile names."""
        if role_arn is None:
            return self
        return self.model_copy(
            update={"assume_roles": (AssumedRole.model_validate({"roleArn": role_arn}),), "allowed_account_ids": ()}
        )

    @property
    def partition(self) -> str:
        """The partition of the region, as ARNs begin with it."""
        return next((name for begin, name in _PARTITIONS.items() if self.region.startswith(begin)), "aws")

    @property
    def account(self) -> str | None:
        """The account in which the stack stands, where the file tells it."""
        if self.assume_roles:
            return account_of(self.assume_roles[-1].role_arn)
        return self.allowed_account_ids[0] if len(self.allowed_account_ids) == 1 else None

    @property
    def login(self) -> tuple[str, ...]:
        """What `aws eks get-token` is given to log in to a cluster as whom the provider makes it."""
        profile = ("--profile", self.profile) if self.profile else ()
        return (*profile, *(word for role in self.assume_roles[-1:] for word in ("--role-arn", role.role_arn)))

    def provider_arguments(self, project: str, stack: str) -> dict[str, Any]:
        """Return the arguments of the explicit provider, which tags every resource with its project and stack."""
        return {
            "region": self.region,
            "profile": self.profile,
            "assume_roles": [role.model_dump(by_alias=True, exclude_none=True) for role in self.assume_roles] or None,
            "allowed_account_ids": self.allowed_account_ids or None,
            "default_tags": {"tags": self.tags(project, stack)},
        }

    def tags(self, project: str, stack: str) -> dict[str, str]:
        """Return the tags of whatever a stack makes, by whichever hand."""
        own = self.default_tags.tags if self.default_tags else {}
        return {**own, "pulumi:project": project, "pulumi:stack": stack}
