"""What lies in the rehearsal's store alone: it is deleted by being forgotten.

Refuses to own what a document says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def forgetter(kind: str) -> Any:
    """Make the delete function of a kind of the store's documents."""

    def delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
        aws.store.delete(kind, made)

    return delete
