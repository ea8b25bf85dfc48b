"""Whether a stack could make the log groups of its control planes, which EKS makes with a cluster where none is. Pure.

Refuses to own the reads (cutover/aws/log_groups.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.rules.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings import Settings


def name_of(eks_name: str) -> str:
    """Return what EKS calls the log group of a cluster's control plane (EKS user guide, control plane logs)."""
    return f"/aws/eks/{eks_name}/cluster"


def mistakes(settings: Settings, groups: Mapping[str, bool]) -> Iterator[Mistake]:
    """Yield log groups that are there and no stack's; ``groups`` tells it by cluster, of those that are there."""
    for key in (key for key, made in groups.items() if not made):
        name = name_of(settings.eks_name(key))
        days = settings.own_clusters[key].log_retention_days
        yield Mistake(
            "CUT339",
            f"clusters.{key}.logRetentionDays",
            f"the log group {name} is there, and no stack made it: EKS did, with the cluster or one before it. The "
            "update would stop at it. Leave logRetentionDays out, and set it once by hand: `aws logs "
            f"put-retention-policy --log-group-name {name} --retention-in-days {days}`; or delete the group, if the "
            "cluster does not stand and nobody needs what it holds",
        )
