"""How long EKS still supports the version of each cluster, and what it does when that ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutover.calls import client, told

if TYPE_CHECKING:
    from datetime import date

    import boto3

    from settings import Settings


@dataclass(frozen=True, kw_only=True)
class Support:
    """The support of a cluster's version: the days on which standard and extended support end, if EKS told them.

    ``policy`` is STANDARD or EXTENDED: at the end of which support EKS upgrades the control plane by itself.
    ``unread`` says why EKS could not be asked, and is empty when it could.
    """

    cluster: str
    version: str
    policy: str
    standard: date | None = None
    extended: date | None = None
    unread: str = ""

    @property
    def forced(self) -> date | None:
        """The day from which EKS upgrades the cluster by itself."""
        return self.standard if self.policy == "STANDARD" else self.extended


def read(account: boto3.Session, settings: Settings) -> list[Support]:
    """Return the support of every cluster of the stack file; what EKS does not tell is left open."""
    eks: Any = client(account, "eks")
    return [_read(eks, settings, key) for key in settings.clusters]


def _read(eks: Any, settings: Settings, key: str) -> Support:
    version, policy = settings.clusters[key].version, settings.clusters[key].support_type
    try:
        cluster = eks.describe_cluster(name=settings.eks_name(key))["cluster"]
        version = cluster["version"]
        policy = cluster.get("upgradePolicy", {}).get("supportType", policy)
        pages = eks.get_paginator("describe_cluster_versions").paginate(clusterVersions=[version], includeAll=True)
        # Whether includeAll goes beyond the versions that were named is written nowhere.
        ends = next((one for page in pages for one in page["clusterVersions"] if one["clusterVersion"] == version), {})
    except Exception as error:
        return Support(cluster=key, version=version, policy=policy, unread=told(error))
    return Support(
        cluster=key,
        version=version,
        policy=policy,
        standard=_day(ends.get("endOfStandardSupportDate")),
        extended=_day(ends.get("endOfExtendedSupportDate")),
    )


def _day(moment: Any) -> date | None:
    return moment.date() if moment else None
