"""What a binding names that the stack file does not: the VPC of a load balancer that others made.

Refuses to own the manifest (cutover/rules/manifests.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutover.aws.session import LiveError
from cutover.calls import client, failing_as
from settings.network import ExistingNetwork

if TYPE_CHECKING:
    import boto3

    from settings import Settings


def vpcs(settings: Settings, account: boto3.Session) -> dict[str, str]:
    """Return the VPC of each load balancer that the stack file tells, or whose maker made it in one.

    :raises LiveError: ELB could not be read, or has no such load balancer
    """
    if isinstance(settings.network, ExistingNetwork):
        return dict.fromkeys(settings.load_balancers, settings.network.vpc_id)
    elb: Any = client(account, "elbv2")
    found: dict[str, str] = {}
    for key, balancer in settings.elsewhere.items():
        with failing_as(LiveError):
            (one,) = elb.describe_load_balancers(Names=[balancer.existing.name])["LoadBalancers"]
            found[key] = one["VpcId"]
    return found
