"""What stands inside a cluster, read at once: the Kubernetes objects that the checks compare, and Pod Identity.

Owns which collections are read. Of ConfigMaps, Secrets and definitions nothing but names, labels and annotations is
asked for. Refuses to judge (parity.py).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from cutover.inside import Inside, InsideError
from cutover.live import PATIENCE
from cutover.verdict import Unread
from cutover.web import reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import boto3

    Objects = Mapping[str, Sequence[Mapping[str, Any]] | Unread]

_AT_ONCE = 20
_COLLECTIONS = {
    "services": "/api/v1/services",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
    "deployments": "/apis/apps/v1/deployments",
    "statefulsets": "/apis/apps/v1/statefulsets",
    "daemonsets": "/apis/apps/v1/daemonsets",
    "autoscalers": "/apis/autoscaling/v2/horizontalpodautoscalers",
    "volumes": "/api/v1/persistentvolumeclaims",
    "imports": "/apis/multicluster.x-k8s.io/v1alpha1/serviceimports",
    "exports": "/apis/multicluster.x-k8s.io/v1alpha1/serviceexports",
}
_ONLY_NAMES = {
    "accounts": "/api/v1/serviceaccounts",
    "configmaps": "/api/v1/configmaps",
    "secrets": "/api/v1/secrets",
    "definitions": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "storageclasses": "/apis/storage.k8s.io/v1/storageclasses",
}


def read(account: boto3.Session, eks_name: str) -> Objects:
    """Return every collection by name, and ``identities``: Pod Identity associations with namespace and role."""
    inside = Inside(account, eks_name)
    eks: Any = account.client("eks", config=PATIENCE)

    def listed(path: str, *, only_metadata: bool) -> Sequence[Mapping[str, Any]] | Unread:
        try:
            return inside.list(path, only_metadata=only_metadata)
        except InsideError as error:
            return Unread(error.why, error.cure)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = {
            **{kind: pool.submit(listed, path, only_metadata=False) for kind, path in _COLLECTIONS.items()},
            **{kind: pool.submit(listed, path, only_metadata=True) for kind, path in _ONLY_NAMES.items()},
            "identities": pool.submit(_identities, eks, eks_name),
        }
        return {kind: future.result() for kind, future in asked.items()}


def _identities(eks: Any, eks_name: str) -> Sequence[Mapping[str, Any]] | Unread:
    try:
        pages = eks.get_paginator("list_pod_identity_associations").paginate(clusterName=eks_name)
        found = [one["associationId"] for page in pages for one in page["associations"]]
        with ThreadPoolExecutor(_AT_ONCE) as pool:  # a list does not tell the role
            return list(pool.map(lambda one: _identity(eks, eks_name, one), found))
    except (BotoCoreError, ClientError) as error:
        return Unread(reason(error))


def _identity(eks: Any, eks_name: str, association: str) -> Mapping[str, Any]:
    return eks.describe_pod_identity_association(clusterName=eks_name, associationId=association)["association"]
