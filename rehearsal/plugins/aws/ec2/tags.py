"""Tags of what EC2 has. Refuses to own which type is tagged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import pairs
from rehearsal.plugins.aws import calls

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def tagged(kind: str, inputs: Props) -> dict[str, Any]:
    """Return the tags of something new as EC2 takes them."""
    tags = pairs(inputs["tagsAll"])
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


def retag(aws: Aws, made: str, old: Props, new: Props) -> None:
    """Have EC2's tags become those of ``new``."""
    calls.retag(
        old,
        new,
        take=lambda keys: aws.ask("ec2", "delete_tags", Resources=[made], Tags=[{"Key": key} for key in keys]),
        give=lambda tags: aws.ask("ec2", "create_tags", Resources=[made], Tags=pairs(tags)),
    )


def update_tags(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    """Update what nothing but tags can change of."""
    retag(aws, made, old, new)
