"""The emulated rule of EventBridge. From the provider's documentation. Refuses to own events, and schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.session import pairs
from rehearsal.plugins.aws.calls import arn_of, named, retag, tags_asked, tags_shown
from rehearsal.plugins.aws.table import COMPUTED_REPLACES, GIVEN, OUTPUT, Type, document

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

GONE = ("ResourceNotFoundException",)


def _create(aws: Aws, inputs: Props) -> str:
    name = named(inputs)
    asked = {"EventPattern": inputs["eventPattern"], "State": "ENABLED", **tags_asked(inputs)}
    aws.ask("events", "put_rule", Name=name, **asked)
    return name


def _read(aws: Aws, name: str, known: Props) -> Props | None:
    if aws.found(GONE, "events", "describe_rule", Name=name) is None:
        return None
    arn = arn_of(aws, "events", "rule", name)
    told = aws.ask("events", "list_tags_for_resource", ResourceARN=arn)
    return {
        **known,
        "name": name,
        "namePrefix": known.get("namePrefix", ""),
        "arn": arn,
        **tags_shown(aws, told, known),
    }


def _update(aws: Aws, name: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "eventPattern" in changed:
        aws.ask("events", "put_rule", Name=name, EventPattern=new["eventPattern"], State="ENABLED")
    retag(
        old,
        new,
        take=lambda keys: aws.ask("events", "untag_resource", ResourceARN=old["arn"], TagKeys=keys),
        give=lambda tags: aws.ask("events", "tag_resource", ResourceARN=old["arn"], Tags=pairs(tags)),
    )


def _delete(aws: Aws, name: str, state: Props) -> None:  # noqa: ARG001
    aws.found(GONE, "events", "delete_rule", Name=name)


TYPE = Type(
    "aws:cloudwatch/eventRule:EventRule",
    "EventBridge Rule",
    {
        "eventPattern": document(required=True),
        "name": COMPUTED_REPLACES,
        "namePrefix": COMPUTED_REPLACES,
        "tags": GIVEN,
        "arn": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    named="name",
    longest=64,
)
