"""The emulated policy of a queue, which the queue has as an attribute. Refuses to judge what it allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.sqs.standing import attributes
from rehearsal.plugins.aws.table import REQUIRED_REPLACES, Type, document

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _put(aws: Aws, url: str, policy: str) -> None:
    aws.ask("sqs", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": policy})


def _create(aws: Aws, inputs: Props) -> str:
    _put(aws, inputs["queueUrl"], inputs["policy"])
    return inputs["queueUrl"]


def _read(aws: Aws, url: str, known: Props) -> Props | None:
    found = attributes(aws, url)
    return known if found and found.get("Policy") else None


def _update(aws: Aws, url: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    _put(aws, url, new["policy"])


def _delete(aws: Aws, url: str, state: Props) -> None:  # noqa: ARG001
    if attributes(aws, url) is not None:
        _put(aws, url, "")


TYPE = Type(
    "aws:sqs/queuePolicy:QueuePolicy",
    "SQS Queue Policy",
    {"policy": document(required=True), "queueUrl": REQUIRED_REPLACES},
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)
