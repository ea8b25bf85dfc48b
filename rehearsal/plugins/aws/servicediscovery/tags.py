"""Tags of what Cloud Map has. Refuses to own which type is tagged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.session import pairs
from rehearsal.plugins.aws import calls

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def tags_found(aws: Aws, arn: str, known: Props) -> Props:
    """Return ``tags`` and ``tagsAll`` as Cloud Map has them."""
    return calls.tags_shown(aws, aws.ask("servicediscovery", "list_tags_for_resource", ResourceARN=arn), known)


def retag(aws: Aws, old: Props, new: Props) -> None:
    """Have Cloud Map's tags become those of ``new``."""
    calls.retag(
        old,
        new,
        take=lambda keys: aws.ask("servicediscovery", "untag_resource", ResourceARN=old["arn"], TagKeys=keys),
        give=lambda tags: aws.ask("servicediscovery", "tag_resource", ResourceARN=old["arn"], Tags=pairs(tags)),
    )
