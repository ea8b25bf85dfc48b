"""What stands on the listeners of a stack. Refuses to judge (cutover/rules/places.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cutover.aws.live import Live
from cutover.rules.elsewhere import by_load_balancer
from cutover.rules.places import Place
from settings.owner import ANSWER_TAG, CLUSTER_TAG, ROUTE_TAG

if TYPE_CHECKING:
    import boto3

    from cutover.rules.listener import Listener
    from settings import Settings


def read(settings: Settings, account: boto3.Session) -> dict[tuple[str, int], Place]:
    """Return what stands on the stack's own listeners, by load balancer and priority."""
    found: dict[tuple[str, int], Place] = {}
    for name, rules in Live(account, settings.owner).listed().items():
        balancer = name.rpartition("-")[0]  # which Pulumi has given its random end
        for arn, (priority, tags) in rules.items():
            answer = tags.get(ANSWER_TAG)
            found[balancer, priority] = Place(arn, answer or tags.get(ROUTE_TAG), tags.get(CLUSTER_TAG), bool(answer))
    return found


def elsewhere(settings: Settings, account: boto3.Session) -> dict[str, list[Listener]]:
    """Return by load balancer that others made, and on which the stack has rules, all its listeners."""
    return by_load_balancer(settings, Live(account, settings.owner).traffic()) if settings.elsewhere else {}
