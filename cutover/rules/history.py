"""What the stack's history says of a cluster: since when it has no weight, and what its entry was. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True)
class Update:
    """An update in the stack's history: when it ended, and the configuration that it was given, by full key."""

    ended: datetime
    succeeded: bool
    config: Mapping[str, Any]


def zero_since(updates: Sequence[Update], cluster: str, project: str) -> datetime | None:
    """Return the end of the update since which the cluster has had no weight in any route, or None.

    An update that failed may have moved something: with a weight above 0 it counts as one that gave it, and with 0 it
    proves nothing. ``updates`` come oldest first.
    """
    since: datetime | None = None
    gone = False
    for update in updates:
        weights = _weights(update.config, cluster, project)
        if weights == []:
            gone = gone or update.succeeded
            continue
        # A key that comes back is a new cluster.
        if gone or weights is None or any(weights):
            since, gone = None, False
        if since is None and update.succeeded and weights and not any(weights):
            since = update.ended
    return since


def last_entry(updates: Sequence[Update], cluster: str, project: str) -> Mapping[str, Any]:
    """Return what the newest update that had the cluster was told of it, by the keys of its entry; empty for none."""
    for update in reversed(updates):
        clusters = update.config.get(f"{project}:clusters")
        if isinstance(clusters, dict) and isinstance(entry := clusters.get(cluster), dict):
            return entry
    return {}


def known(updates: Sequence[Update], cluster: str, project: str) -> bool:
    """Tell whether the stack has ever had the cluster."""
    return any(_weights(update.config, cluster, project) for update in updates)


def _weights(config: Mapping[str, Any], cluster: str, project: str) -> list[int] | None:
    """Return the cluster's weights in a configuration: none where it is not in it; None where it cannot be read."""
    own, routes = config.get(f"{project}:weights"), config.get(f"{project}:routes", {})
    if not isinstance(own, dict) or not isinstance(routes, dict):
        return None
    maps = [own, *(route.get("weights") or {} for route in routes.values())]
    return [weights[cluster] for weights in maps if cluster in weights]
