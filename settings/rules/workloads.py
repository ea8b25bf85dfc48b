"""What is wrong between the keys of workloads and add-ons: roles that two would give, and those that nobody has."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from settings.rules.mistake import Mistake, alike, as_far_as_known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings.addons import AddonRole
    from settings.models import Settings

_CONTROLLERS = ("kube-system/aws-load-balancer-controller", "appmesh-system/appmesh-controller")


@as_far_as_known
def workload_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield what is wrong between what workloads need, and what controllers and add-ons have already."""
    for account in settings.pod_identities:
        if whose := _taken(settings).get(account):
            yield Mistake(
                "CUT250",
                f"podIdentities.{account}",
                f"{account} has a role already, which {whose} gives it. EKS has one role for a ServiceAccount, and "
                "would refuse the second once the cluster is up. Leave it out here",
            )
    counts = Counter((one.security_group_id, port) for one in settings.allow_egress_to for port in one.ports)
    for (group, port), count in counts.items():
        if count > 1:
            yield Mistake(
                "CUT251",
                "allowEgressTo",
                f"{group} stands there {count} times with port {port}. EC2 would refuse the second rule halfway "
                "through the update. Leave one out",
            )


@as_far_as_known
def addon_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield roles of add-ons that are two, or none, and ServiceAccounts that two would give one."""
    for key, cluster in settings.own_clusters.items():
        accounts = {name: _account(addon.role) for name, addon in cluster.addons.others.items() if addon.role}
        karpenter = cluster.karpenter.account if cluster.karpenter else None
        twice = {
            **dict(alike(accounts)),
            **{name: "the stack" for name, one in accounts.items() if one in _CONTROLLERS},
            **{name: f"clusters.{key}.karpenter" for name, one in accounts.items() if one == karpenter},
        }
        for name, first in twice.items():
            yield Mistake(
                "CUT298",
                f"clusters.{key}.addons.{name}.role",
                f"{accounts[name]} has a role already, which {first} gives it. EKS has one role for a ServiceAccount, "
                "and would refuse the second once the cluster is up. Name the ServiceAccount of its own pods",
            )
        if karpenter in _CONTROLLERS:
            yield Mistake(
                "CUT451",
                f"clusters.{key}.karpenter",
                f"{karpenter} is the ServiceAccount of a controller of the stack's own. EKS has one role for a "
                "ServiceAccount, and would refuse the second once the cluster is up. Name that of Karpenter's own pods",
            )
        for name, addon in cluster.addons.others.items():
            if addon.role and bool(addon.role.role_arn) is bool(addon.role.policy_arns):
                both = "roleArn and policyArns" if addon.role.role_arn else "neither roleArn nor policyArns"
                yield Mistake(
                    "CUT252",
                    f"clusters.{key}.addons.{name}.role",
                    f"{both}. Which role its pods have would not be clear, and without one their calls are denied. "
                    "Write roleArn for a role that is there, or policyArns for one that is made",
                )


def _account(role: AddonRole) -> str:
    return f"{role.namespace}/{role.service_account}"


def _taken(settings: Settings) -> Mapping[str, str]:
    """Return the ServiceAccounts that have a role by another key, and by which."""
    addons = {
        _account(addon.role): f"clusters.{key}.addons.{name}"
        for key, cluster in settings.own_clusters.items()
        for name, addon in cluster.addons.others.items()
        if addon.role
    }
    addons |= {
        cluster.karpenter.account: f"clusters.{key}.karpenter"
        for key, cluster in settings.own_clusters.items()
        if cluster.karpenter
    }
    return {**addons, **dict.fromkeys(_CONTROLLERS, "the stack")}
