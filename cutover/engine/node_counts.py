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


def wanted(settings: Settings) -> dict[str, int | None]:
    """Return by cluster how many nodes this run is to leave, or None where it leaves their number alone; say it."""
    groups = node_counts.read(settings)
    for key, group in groups.items() if pulumi.runtime.is_dry_run() else ():
        for text, warns in words(key, settings.own_clusters[key].nodes, group, serves=settings.serving(key)):
            (pulumi.log.warn if warns else pulumi.log.info)(text)
    return {key: count(settings.own_clusters[key].nodes, group) for key, group in groups.items()}
