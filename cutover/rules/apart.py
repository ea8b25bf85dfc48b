"""Clusters that stand in another VPC or account than a load balancer whose requests they are to get.

Pure. Owns what AWS refuses there, or lets pass and never serves: security groups and instances of another VPC, and a
controller that may not register in another account. Refuses to own whether a packet finds its way between them
(status KEY).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from settings.bindings import AUTO_MODE
from settings.network import ExistingNetwork
from settings.rules.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cutover.rules.ground import Ground
    from settings import Settings


@dataclass(frozen=True)
class Standing:
    """A cluster that was made elsewhere: its VPC, whether EKS Auto Mode registers targets there, and its account."""

    vpc: str
    automatic: bool = False
    account: str = ""

    def beyond(self, vpc: str) -> bool:
        """Tell whether it is known to stand in another VPC."""
        return self.vpc not in {"", vpc}


def mistakes(settings: Settings, ground: Ground) -> Iterator[Mistake]:
    """Yield what stands apart from a load balancer, and what the stack file would have to say of it."""
    balancers = _vpcs(settings, ground)
    network = settings.network.vpc_id if isinstance(settings.network, ExistingNetwork) else ""
    for balancer, vpc in balancers.items():
        if network and vpc != network and settings.own_clusters:
            yield Mistake(
                "CUT321",
                "network.vpcId",
                f"that is {network}, and the load balancer of {balancer} is in {vpc}. Security groups of one VPC are "
                "refused in the other, and the update would stop halfway. Make the stack's clusters in the VPC of the "
                "load balancer",
            )
        for key in ground.standing:
            yield from _of_cluster(settings, ground, key, balancer, vpc)


def warnings(settings: Settings, ground: Ground) -> list[str]:
    """Return of which clusters no zone is known, and so not whether their pods stand in two."""
    balancers = _vpcs(settings, ground)
    beyond = {
        key
        for key, cluster in ground.standing.items()
        if cluster and (settings.existing_clusters[key].registers_as or any(map(cluster.beyond, balancers.values())))
    }
    return [
        f"The targets of {key} lie outside the load balancer's VPC or account, and ELB tells no zone of such. Whether "
        "they stand in two zones the gate cannot see: spread the pods yourself (topologySpreadConstraints)."
        for key in sorted(beyond)
    ]


def _vpcs(settings: Settings, ground: Ground) -> Mapping[str, str]:
    """Return the VPC of each load balancer, as far as it is known before the first update."""
    network = settings.network.vpc_id if isinstance(settings.network, ExistingNetwork) else ""
    own = dict.fromkeys(settings.own_load_balancers, network) if network else {}
    theirs = {key: next((one.vpc for one in found if one.vpc), "") for key, found in ground.elsewhere.items()}
    return {key: vpc for key, vpc in {**own, **theirs}.items() if vpc}


def _of_cluster(settings: Settings, ground: Ground, key: str, balancer: str, vpc: str) -> Iterator[Mistake]:
    standing, cluster = ground.standing[key], settings.existing_clusters[key]
    if standing is None:
        return
    abroad = bool(ground.account and standing.account) and standing.account != ground.account
    beyond = standing.beyond(vpc)
    if not (abroad or beyond):
        return
    account = f" of account {standing.account}" if abroad else ""
    apart = f"{settings.eks_name(key)} is in {standing.vpc}{account}, and the load balancer of {balancer} in {vpc}"
    apart += f" of {ground.account}" if abroad else ""
    if cluster.binding_api is AUTO_MODE:
        yield Mistake(
            "CUT324",
            f"clusters.{key}.loadBalancerController.managedBy",
            f"autoMode, but {apart}. EKS Auto Mode registers in its own VPC and account alone, so that nothing would "
            "ever be healthy. Install the AWS Load Balancer Controller beside it, and write external",
        )
        return
    nodes = [
        name
        for name, route in settings.routes.items()
        if route.target_type == "instance" and settings.load_balancer_of(name) == balancer
    ]
    for name in nodes:
        yield Mistake(
            "CUT325",
            f"routes.{name}.targetType",
            f"instance, but {apart}. ELB takes nodes of the load balancer's own VPC and account alone, so that none "
            "would ever be registered. Write ip, for pods with addresses of the VPC",
        )
    if beyond and cluster.security_group_rules == "manage" and not cluster.existing.load_balancer_cidrs:
        yield Mistake(
            "CUT326",
            f"clusters.{key}.existing.loadBalancerCidrs",
            f"missing, and {apart}. Security groups of one VPC are refused in the other, and the update would stop "
            "halfway. Give the ranges of the load balancer's subnets, or write securityGroupRules: none and let them "
            "in yourself",
        )
    if abroad and not cluster.registers_as:
        yield Mistake(
            "CUT323",
            f"clusters.{key}.loadBalancerController.iamRoleArnToAssume",
            f"missing, and {apart}. Its controller may register targets in its own account alone, so that nothing "
            f'would ever be healthy. Make a role in {ground.account} that it may assume (docs/adoption.md, "Several '
            'accounts"), and name it here',
        )
