"""What is wrong between the keys of a stack file, although each key alone is right.

One file an area, as the keys have it. Refuses to own what a single value may be (the areas in settings/).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.rules.clusters import (
    cluster_mistakes,
    key_mistakes,
    login_mistakes,
    security_group_mistakes,
    tag_mistakes,
)
from settings.rules.discovery import discovery_mistakes, mesh_mistakes
from settings.rules.existing_clusters import existing_cluster_mistakes, joined_group_mistakes
from settings.rules.given_roles import given_role_mistakes
from settings.rules.imports import import_mistakes
from settings.rules.listeners import listener_mistakes
from settings.rules.load_balancers import load_balancer_mistakes
from settings.rules.names import joined_mistakes, name_mistakes
from settings.rules.network import network_mistakes
from settings.rules.partition import partition_mistakes
from settings.rules.probes import probe_mistakes
from settings.rules.routes import route_mistakes
from settings.rules.weights import rollout_mistakes, weight_mistakes
from settings.rules.workloads import addon_mistakes, workload_mistakes

if TYPE_CHECKING:
    from settings.models import Settings
    from settings.rules.mistake import Mistake


def mistakes(settings: Settings) -> list[Mistake]:
    """Return everything that is wrong between fields, as far as they are known, in the order of the configuration."""
    rules = (
        network_mistakes,
        load_balancer_mistakes,
        listener_mistakes,
        cluster_mistakes,
        addon_mistakes,
        key_mistakes,
        tag_mistakes,
        given_role_mistakes,
        workload_mistakes,
        existing_cluster_mistakes,
        joined_group_mistakes,
        partition_mistakes,
        login_mistakes,
        security_group_mistakes,
        name_mistakes,
        joined_mistakes,
        weight_mistakes,
        rollout_mistakes,
        route_mistakes,
        probe_mistakes,
        discovery_mistakes,
        mesh_mistakes,
        import_mistakes,
    )
    return [mistake for rule in rules for mistake in rule(settings)]
