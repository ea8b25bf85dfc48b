"""Tags of what ELB has. Refuses to own which type is tagged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.session import Aws, pairs
from rehearsal.plugins.aws import calls

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props


def retag(aws: Aws, arn: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    """Have ELB's tags become those of ``new``."""
    if "tagsAll" in changed:
        calls.retag(
            old,
            new,
            take=lambda keys: aws.ask("elbv2", "remove_tags", ResourceArns=[arn], TagKeys=keys),
            give=lambda tags: aws.ask("elbv2", "add_tags", ResourceArns=[arn], Tags=pairs(tags)),
        )


def tags_found(aws: Aws, arn: str, known: Props) -> Props:
    """Return ``tags`` and ``tagsAll`` as ELB has them."""
    answer = aws.ask("elbv2", "describe_tags", ResourceArns=[arn])["TagDescriptions"]
    return calls.tags_shown(aws, answer[0] if answer else {}, known)
