"""The emulated queue. From the provider's documentation. Refuses to own messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.calls import named, retag
from rehearsal.plugins.aws.sqs.standing import attributes
from rehearsal.plugins.aws.table import COMPUTED_REPLACES, GIVEN, OUTPUT, Field, Type, between

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _asked(inputs: Props) -> dict[str, str]:
    sealed = inputs.get("sqsManagedSseEnabled", True)
    return {
        "MessageRetentionPeriod": str(inputs["messageRetentionSeconds"]),
        "SqsManagedSseEnabled": "true" if sealed else "false",
    }


def _create(aws: Aws, inputs: Props) -> str:
    tags = {"tags": inputs["tagsAll"]} if inputs["tagsAll"] else {}
    return aws.ask("sqs", "create_queue", QueueName=named(inputs), Attributes=_asked(inputs), **tags)["QueueUrl"]


def _read(aws: Aws, url: str, known: Props) -> Props | None:
    found = attributes(aws, url)
    if found is None:
        return None
    return {
        **known,
        "name": url.rsplit("/", 1)[-1],
        "namePrefix": known.get("namePrefix", ""),
        "arn": found["QueueArn"],
        "url": url,
        "messageRetentionSeconds": int(found["MessageRetentionPeriod"]),
        "sqsManagedSseEnabled": known.get("sqsManagedSseEnabled", True),
        **aws.tags_found(aws.ask("sqs", "list_queue_tags", QueueUrl=url).get("Tags", {}), known),
    }


def _update(aws: Aws, url: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if changed - {"tags", "tagsAll"}:
        aws.ask("sqs", "set_queue_attributes", QueueUrl=url, Attributes=_asked(new))
    retag(
        old,
        new,
        take=lambda keys: aws.ask("sqs", "untag_queue", QueueUrl=url, TagKeys=keys),
        give=lambda tags: aws.ask("sqs", "tag_queue", QueueUrl=url, Tags=tags),
    )


def _delete(aws: Aws, url: str, state: Props) -> None:  # noqa: ARG001
    if attributes(aws, url) is not None:
        aws.ask("sqs", "delete_queue", QueueUrl=url)


TYPE = Type(
    "aws:sqs/queue:Queue",
    "SQS Queue",
    {
        "messageRetentionSeconds": Field(default=345600, check=between(60, 1209600)),
        "name": COMPUTED_REPLACES,
        "namePrefix": COMPUTED_REPLACES,
        "sqsManagedSseEnabled": Field(computed=True),
        "tags": GIVEN,
        "arn": OUTPUT,
        "url": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    named="name",
    longest=80,
)
