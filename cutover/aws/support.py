"""How long EKS still supports the version of each cluster: the reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutover.aws.session import Sessions
from cutover.calls import client, told
from cutover.rules.support import Support

if TYPE_CHECKING:
    from datetime import date

    import boto3

    from settings import Settings


def read(account: boto3.Session, settings: Settings) -> list[Support]:
    """Return the support of every cluster of the stack file; what EKS does not tell is left open."""
    sessions = Sessions(settings, account)
    return [_read(sessions, settings, key) for key in settings.clusters]


def _read(sessions: Sessions, settings: Settings, key: str) -> Support:
    own = settings.own_clusters.get(key)
    version, policy = (own.version, own.support_type) if own else ("", "")
    try:
        eks: Any = client(sessions.of(key), "eks")
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
