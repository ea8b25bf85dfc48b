"""The emulated instance profile, in which a role is handed to instances. From the provider's source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.session import pairs
from rehearsal.plugins.aws.calls import find, named, retag, tags_shown, timestamp
from rehearsal.plugins.aws.iam.standing import GONE
from rehearsal.plugins.aws.table import COMPUTED_REPLACES, GIVEN, OUTPUT, REPLACES, REQUIRED, Field, Type

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _create(aws: Aws, inputs: Props) -> str:
    name = named(inputs)
    aws.ask(
        "iam", "create_instance_profile", InstanceProfileName=name, Path=inputs["path"], Tags=pairs(inputs["tagsAll"])
    )
    aws.ask("iam", "add_role_to_instance_profile", InstanceProfileName=name, RoleName=inputs["role"])
    return name


def _read(aws: Aws, name: str, known: Props) -> Props | None:
    found = find(aws, GONE, "iam", "get_instance_profile", "InstanceProfile", InstanceProfileName=name)
    if found is None:
        return None
    return {
        **known,
        "name": name,
        "namePrefix": known.get("namePrefix", ""),
        "arn": found["Arn"],
        "uniqueId": found["InstanceProfileId"],
        "createDate": timestamp(found["CreateDate"]),
        **tags_shown(aws, found, known),
    }


def _update(aws: Aws, name: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "role" in changed:
        aws.ask("iam", "remove_role_from_instance_profile", InstanceProfileName=name, RoleName=old["role"])
        aws.ask("iam", "add_role_to_instance_profile", InstanceProfileName=name, RoleName=new["role"])
    retag(
        old,
        new,
        take=lambda keys: aws.ask("iam", "untag_instance_profile", InstanceProfileName=name, TagKeys=keys),
        give=lambda tags: aws.ask("iam", "tag_instance_profile", InstanceProfileName=name, Tags=pairs(tags)),
    )


def _delete(aws: Aws, name: str, state: Props) -> None:
    aws.found(GONE, "iam", "remove_role_from_instance_profile", InstanceProfileName=name, RoleName=state["role"])
    aws.found(GONE, "iam", "delete_instance_profile", InstanceProfileName=name)


TYPE = Type(
    "aws:iam/instanceProfile:InstanceProfile",
    "IAM Instance Profile",
    {
        "name": COMPUTED_REPLACES,
        "namePrefix": COMPUTED_REPLACES,
        "path": Field(default="/", replaces=REPLACES.replaces),
        "role": REQUIRED,
        "tags": GIVEN,
        "arn": OUTPUT,
        "createDate": OUTPUT,
        "uniqueId": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    named="name",
    longest=128,
    regional=False,
)
