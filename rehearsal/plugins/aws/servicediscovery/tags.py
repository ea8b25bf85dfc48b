"""Tags of what Cloud Map has. Refuses to own which type is tagged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.session import pairs, unpaired

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def tags_found(aws: Aws, arn: str, known: Props) -> Props:
    """Return ``tags`` and ``tagsAll`` as Cloud Map has them."""
    return aws.tags_found(
        unpaired(aws.ask("servicediscovery", "list_tags_for_resource", ResourceARN=arn)["Tags"]), known
    )


def retag(aws: Aws, old: Props, new: Props) -> None:
    """Have Cloud Map's tags become those of ``new``."""
    if gone := [key for key in old.get("tagsAll", {}) if key not in new["tagsAll"]]:
        aws.ask("servicediscovery", "untag_resource", ResourceARN=old["arn"], TagKeys=gone)
    if new["tagsAll"]:
        aws.ask("servicediscovery", "tag_resource", ResourceARN=old["arn"], Tags=pairs(new["tagsAll"]))
