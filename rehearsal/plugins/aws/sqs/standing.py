"""What stands in the account: a queue. Refuses to judge who may send to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rehearsal.cloud.session import Aws

_GONE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


def attributes(aws: Aws, url: str) -> dict[str, str] | None:
    """Return the attributes of a queue, or None when it is gone."""
    answer = aws.found(_GONE, "sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
    return None if answer is None else answer["Attributes"]
