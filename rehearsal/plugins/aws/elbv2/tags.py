"""Tags of what ELB has. Refuses to own which type is tagged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import Aws, pairs, unpaired

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props


def retag(aws: Aws, arn: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    """Have ELB's tags become those of ``new``."""
    if "tagsAll" not in changed:
        return
    if gone := [key for key in old.get("tagsAll", {}) if key not in new["tagsAll"]]:
        aws.ask("elbv2", "remove_tags", ResourceArns=[arn], TagKeys=gone)
    if new["tagsAll"]:
        aws.ask("elbv2", "add_tags", ResourceArns=[arn], Tags=pairs(new["tagsAll"]))


def tags_asked(inputs: Props) -> dict[str, Any]:
    """Return the tags of something new as ELB takes them."""
    return {"Tags": pairs(inputs["tagsAll"])} if inputs["tagsAll"] else {}


def tags_found(aws: Aws, arn: str, known: Props) -> Props:
    """Return ``tags`` and ``tagsAll`` as ELB has them."""
    answer = aws.ask("elbv2", "describe_tags", ResourceArns=[arn])["TagDescriptions"]
    return aws.tags_found(unpaired(answer[0]["Tags"]) if answer else {}, known)
