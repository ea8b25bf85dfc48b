"""The emulated role, with tags of no other letters than IAM takes.

From the provider's source, and IAM's constraint on tags. Refuses to judge who may take the role.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from rehearsal.cloud.session import RESERVED_TAGS, AwsError, pairs
from rehearsal.plugins.aws.calls import named, retag, tags_shown, timestamp
from rehearsal.plugins.aws.iam.standing import attached, find_role
from rehearsal.plugins.aws.table import (
    COMPUTED_REPLACES,
    GIVEN,
    OUTPUT,
    REPLACES,
    Field,
    Type,
    between,
    defaults,
    document,
    set_of,
)

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

_TAG_PATTERN = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]"


def _judge_tags(operation: str, tags: dict[str, str]) -> None:
    """Refuse letters that only IAM refuses; moto looks at lengths, at the number, and at keys that differ by case.

    :raises AwsError: a key or a value has one
    """
    for number, (key, value) in enumerate(tags.items(), 1):
        if key.lower().startswith(RESERVED_TAGS):
            words = f"'{RESERVED_TAGS}' prefixed tag key names are not allowed for external use."
            raise AwsError("iam", operation, "InvalidInput", words)
        for name, text, times in (("key", key, "+"), ("value", value, "*")):
            if any(sign not in "_.:/=+-@" and unicodedata.category(sign)[0] not in "LNZ" for sign in text):
                raise AwsError(
                    "iam",
                    operation,
                    "ValidationError",
                    f"1 validation error detected: Value at 'tags.{number}.member.{name}' failed to satisfy "
                    f"constraint: Member must satisfy regular expression pattern: {_TAG_PATTERN}{times}",
                )


def _create(aws: Aws, inputs: Props) -> str:
    name = named(inputs)
    _judge_tags("CreateRole", inputs["tagsAll"])
    optional = {
        "Description": inputs.get("description"),
        "PermissionsBoundary": inputs.get("permissionsBoundary"),
    }
    aws.ask(
        "iam",
        "create_role",
        RoleName=name,
        AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
        Path=inputs["path"],
        MaxSessionDuration=inputs["maxSessionDuration"],
        Tags=pairs(inputs["tagsAll"]),
        **{key: value for key, value in optional.items() if value},
    )
    for arn in inputs.get("managedPolicyArns", ()):
        aws.ask("iam", "attach_role_policy", RoleName=name, PolicyArn=arn)
    return name


def _read(aws: Aws, name: str, known: Props) -> Props | None:
    role = find_role(aws, name)
    if role is None:
        return None
    return {
        **known,
        "name": name,
        "arn": role["Arn"],
        "uniqueId": role["RoleId"],
        "createDate": timestamp(role["CreateDate"]),
        "namePrefix": known.get("namePrefix", ""),
        "managedPolicyArns": attached(aws, name),
        **tags_shown(aws, role, known),
    }


def _update(aws: Aws, name: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "assumeRolePolicy" in changed:
        aws.ask("iam", "update_assume_role_policy", RoleName=name, PolicyDocument=new["assumeRolePolicy"])
    if changed & {"description", "maxSessionDuration"}:
        aws.ask(
            "iam",
            "update_role",
            RoleName=name,
            Description=new.get("description", ""),
            MaxSessionDuration=new["maxSessionDuration"],
        )
    if "permissionsBoundary" in changed and new.get("permissionsBoundary"):
        aws.ask("iam", "put_role_permissions_boundary", RoleName=name, PermissionsBoundary=new["permissionsBoundary"])
    elif "permissionsBoundary" in changed:
        aws.ask("iam", "delete_role_permissions_boundary", RoleName=name)
    if "managedPolicyArns" in changed:
        have, want = set(attached(aws, name)), set(new["managedPolicyArns"])
        for arn in sorted(have - want):
            aws.ask("iam", "detach_role_policy", RoleName=name, PolicyArn=arn)
        for arn in sorted(want - have):
            aws.ask("iam", "attach_role_policy", RoleName=name, PolicyArn=arn)

    def give(tags: dict[str, str]) -> None:
        if "tagsAll" in changed:
            _judge_tags("TagRole", tags)
            aws.ask("iam", "tag_role", RoleName=name, Tags=pairs(tags))

    retag(old, new, take=lambda keys: aws.ask("iam", "untag_role", RoleName=name, TagKeys=keys), give=give)


def _delete(aws: Aws, name: str, state: Props) -> None:
    if find_role(aws, name) is None:
        return
    if state.get("forceDetachPolicies"):
        for arn in attached(aws, name):
            aws.ask("iam", "detach_role_policy", RoleName=name, PolicyArn=arn)
        for policy in aws.ask("iam", "list_role_policies", RoleName=name)["PolicyNames"]:
            aws.ask("iam", "delete_role_policy", RoleName=name, PolicyName=policy)
    aws.ask("iam", "delete_role", RoleName=name)


TYPE = Type(
    "aws:iam/role:Role",
    "IAM Role",
    {
        "assumeRolePolicy": document(required=True),
        "description": GIVEN,
        "forceDetachPolicies": defaults(False),
        "managedPolicyArns": set_of(computed=True),
        "maxSessionDuration": Field(default=3600, check=between(3600, 43200)),
        "name": COMPUTED_REPLACES,
        "namePrefix": COMPUTED_REPLACES,
        "path": Field(default="/", replaces=REPLACES.replaces),
        "permissionsBoundary": GIVEN,
        "tags": GIVEN,
        "arn": OUTPUT,
        "uniqueId": OUTPUT,
        "createDate": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    named="name",
    longest=64,
    regional=False,
)
