"""How many nodes this run is to leave in each cluster, and the words of it in a preview.

Refuses to own the reckoning (cutover/rules/node_counts.py) and the reading (cutover/aws/node_counts.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from cutover.aws import node_counts
from cutover.rules.node_counts import count, words

if TYPE_CHECKING:
    from settings import Settings


def wanted(settings: Settings) -> dict[str, dict[str, int]]:
    """Return by cluster and group how many nodes this run is to leave; the number of others is left alone. Say it."""
    found: dict[str, dict[str, int]] = {}
    for (key, name), group in node_counts.read(settings).items():
        cluster = settings.own_clusters[key]
        if (becomes := count(cluster.node_groups[name], group)) is not None:
            found.setdefault(key, {})[name] = becomes
        for text, warns in words(key, cluster, name, group, serves=settings.serving(key)):
            if pulumi.runtime.is_dry_run():
                (pulumi.log.warn if warns else pulumi.log.info)(text)
    return found
