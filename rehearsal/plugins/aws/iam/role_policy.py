"""The emulated policy inside a role. Refuses to judge what it allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.calls import named
from rehearsal.plugins.aws.iam.standing import GONE
from rehearsal.plugins.aws.table import COMPUTED_REPLACES, REQUIRED_REPLACES, Type, document

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _create(aws: Aws, inputs: Props) -> str:
    name = named(inputs)
    aws.ask(
        "iam",
        "put_role_policy",
        RoleName=inputs["role"],
        PolicyName=name,
        PolicyDocument=inputs["policy"],
    )
    return f"{inputs['role']}:{name}"


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    role, name = made.split(":", 1)
    aws.ask("iam", "put_role_policy", RoleName=role, PolicyName=name, PolicyDocument=new["policy"])


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    role, name = made.split(":", 1)
    answer = aws.found(GONE, "iam", "get_role_policy", RoleName=role, PolicyName=name)
    return None if answer is None else {**known, "name": name, "namePrefix": known.get("namePrefix", "")}


def _delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    role, name = made.split(":", 1)
    aws.found(GONE, "iam", "delete_role_policy", RoleName=role, PolicyName=name)


TYPE = Type(
    "aws:iam/rolePolicy:RolePolicy",
    "IAM Role Policy",
    {
        "name": COMPUTED_REPLACES,
        "namePrefix": COMPUTED_REPLACES,
        "policy": document(required=True),
        "role": REQUIRED_REPLACES,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    named="name",
    regional=False,
)
