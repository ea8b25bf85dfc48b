"""Whether clusters could take the roles that others made for them: they are there, and trust who is to take them. Pure.

Refuses to own the reads (cutover/aws/given_roles.py), and what a role may do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutover.rules.policies import allowing, principals
from settings.aws import account_of
from settings.rules.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings import Settings


_ACTIONS = {"eks": "sts:AssumeRole", "ec2": "sts:AssumeRole", "pods.eks": "sts:AssumeRole and sts:TagSession"}

_CONSEQUENCES = {
    "eks": "EKS would refuse the cluster once the network is up",
    "ec2": "EKS would refuse the nodes once the cluster is up",
    "pods.eks": "The controller would be denied every call, and do nothing",
}


@dataclass(frozen=True)
class GivenRole:
    """A role that has the name of the one in the file: its ARN, and its trust policy as IAM tells it."""

    arn: str
    trust: Mapping[str, Any]


def mistakes(settings: Settings, roles: Mapping[str, GivenRole | None]) -> Iterator[Mistake]:
    """Yield roles that nobody could take; None is one that does not exist, and what could not be read is left out."""
    for key, cluster in settings.own_clusters.items():
        for where, (arn, taker) in cluster.given_roles.items():
            role, at = roles.get(arn), f"clusters.{key}.{where}"
            if arn in roles and (role is None or _whose(role.arn) != _whose(arn)):
                there = f", but {_elsewhere(arn, role.arn)}" if role else ""
                yield Mistake(
                    "CUT337",
                    at,
                    f"there is no role {arn}{there}. EKS would refuse it once the network is up. Correct the ARN, or "
                    "have the role made first",
                )
            elif role and not _trusts(role.trust, taker):
                yield Mistake(
                    "CUT338",
                    at,
                    f"{arn} does not trust {taker}.amazonaws.com, which is to take it. "
                    f"{_CONSEQUENCES[taker]}. Have that service allowed in its trust policy: {_ACTIONS[taker]}",
                )


def _whose(arn: str) -> str:
    """Return the account and the name of a role, with its path. The partition is judged without AWS (settings/)."""
    return arn.split(":", 4)[4]


def _elsewhere(arn: str, found: str) -> str:
    if account_of(arn) != account_of(found):
        return f"{found} in the account in which the stack stands"
    return f"{found}, whose path is another"


def _trusts(trust: Mapping[str, Any], taker: str) -> bool:
    services = {f"{taker}.amazonaws.com", f"{taker}.amazonaws.com.cn"}
    return any(services & set(principals(one, "Service")) for one in allowing(trust))
