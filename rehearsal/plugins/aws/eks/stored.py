"""What lies in the rehearsal's store alone: it has an ARN, and is deleted by being forgotten.

Refuses to own what a document says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def arn_of(aws: Aws, kind: str, *parts: str) -> str:
    """Return the ARN of a thing of EKS."""
    return f"arn:{aws.partition}:eks:{aws.region}:{aws.account}:{kind}/{'/'.join(parts)}"


def forgetter(kind: str) -> Any:
    """Make the delete function of a kind of the store's documents."""

    def delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
        aws.store.delete(kind, made)

    return delete
