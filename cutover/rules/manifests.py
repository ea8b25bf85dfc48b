"""The TargetGroupBindings of a cluster as GitOps applies them: what the stack would apply itself, known beforehand.

Pure, and the same for the same stack file whoever asks. Refuses to own which field a controller of which version knows
(settings/bindings.py), and where a VPC or a target group's ARN is learned (cutover/aws/bound.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from settings.bindings import SINCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings import Settings

NEWEST = "3.5"
"""The version of the controller whose fields are printed when nobody says otherwise."""

# Argo CD would delete a binding that a change of its source leaves out, and the load balancer would lose every target.
_KEPT = {"argocd.argoproj.io/sync-options": "Prune=false"}


def names_groups(settings: Settings, key: str, version: tuple[int, int]) -> bool:
    """Tell whether a cluster's bindings can name their target group, so that no ARN need be known."""
    return "targetGroupName" in settings.clusters[key].binding_api.at(version).known


def unknown(settings: Settings, key: str, version: tuple[int, int]) -> list[str]:
    """Return the fields that a cluster's bindings cannot do without, and that its controller does not know."""
    return [field for field in settings.clusters[key].registers_as if version < SINCE[field]]


def bindings(
    settings: Settings, key: str, version: tuple[int, int], vpcs: Mapping[str, str], arns: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return a cluster's bindings, in the order of the routes, with the fields that its controller knows.

    ``vpcs`` has the VPC of each load balancer as far as it is known, ``arns`` the target group of each route, for a
    controller that knows no name. All that the webhook would fill in is there, so that no tool takes it for a change.
    """
    documents: list[dict[str, Any]] = []
    api = settings.clusters[key].binding_api.at(version)
    for name, route in settings.routes.items():
        named = names_groups(settings, key, version)
        group = {"targetGroupName": settings.group_name(name, key)} if named else {"targetGroupARN": arns[name]}
        spec = api.spec(
            {"name": route.service.name, "port": route.service.port},
            **group,
            targetType=route.target_type,
            targetGroupProtocol=route.protocol,
            ipAddressType="ipv4",
            vpcID=vpcs.get(settings.load_balancer_of(name)),
            **settings.clusters[key].registers_as,
        )
        documents.append(
            {
                "apiVersion": api.version,
                "kind": "TargetGroupBinding",
                "metadata": {"name": name, "namespace": route.service.namespace, "annotations": dict(_KEPT)},
                "spec": {field: one for field, one in spec.items() if one},
            }
        )
    return documents


def text(documents: list[dict[str, Any]]) -> str:
    """Return documents as YAML."""
    return yaml.safe_dump_all(documents, sort_keys=False, explicit_start=True)
