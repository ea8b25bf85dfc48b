"""What stands inside a cluster, read at once: the Kubernetes objects that the checks compare, and Pod Identity.

Owns which collections are read. Of ConfigMaps, Secrets and definitions nothing but names, labels and annotations is
asked for. Refuses to judge (parity.py).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cutover.calls import at_once, client, told
from cutover.inside.lists import DEFINITIONS, Inside, InsideError
from cutover.rules.verdict import Unread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import boto3

    from cutover.rules.verdict import Objects
    from settings.bindings import BindingApi

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
    "definitions": DEFINITIONS,
    "storageclasses": "/apis/storage.k8s.io/v1/storageclasses",
}


def read(account: boto3.Session, eks_name: str, bindings: BindingApi) -> Objects:
    """Return every collection by name, ``addons``, and ``identities``: Pod Identity associations with their roles.

    ``bindings`` is the kind of those that count in the cluster.
    """
    inside = Inside(account, eks_name)
    eks: Any = client(account, "eks")

    def listed(path: str, *, only_metadata: bool) -> Sequence[Mapping[str, Any]] | Unread:
        try:
            return inside.list(path, only_metadata=only_metadata)
        except InsideError as error:
            return Unread(error.why, error.cure)

    asked = {
        **{kind: partial(listed, path, only_metadata=False) for kind, path in _COLLECTIONS.items()},
        **{kind: partial(listed, path, only_metadata=True) for kind, path in _ONLY_NAMES.items()},
        "bindings": partial(listed, bindings.path, only_metadata=False),
        "identities": partial(_identities, eks, eks_name),
        "addons": partial(_addons, eks, eks_name),
    }
    return dict(zip(asked, at_once(lambda ask: ask(), asked.values(), _AT_ONCE), strict=True))


def _identities(eks: Any, eks_name: str) -> Sequence[Mapping[str, Any]] | Unread:
    try:
        pages = eks.get_paginator("list_pod_identity_associations").paginate(clusterName=eks_name)
        found = [one["associationId"] for page in pages for one in page["associations"]]
        return at_once(lambda one: _identity(eks, eks_name, one), found, _AT_ONCE)  # a list does not tell the role
    except Exception as error:
        return Unread(told(error))


def _addons(eks: Any, eks_name: str) -> Sequence[Mapping[str, Any]] | Unread:
    try:
        pages = eks.get_paginator("list_addons").paginate(clusterName=eks_name)
        return [{"addonName": name} for page in pages for name in page["addons"]]
    except Exception as error:
        return Unread(told(error))


def _identity(eks: Any, eks_name: str, association: str) -> Mapping[str, Any]:
    return eks.describe_pod_identity_association(clusterName=eks_name, associationId=association)["association"]
