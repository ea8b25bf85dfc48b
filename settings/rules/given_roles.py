"""What is wrong between the keys of roles that others made.

Refuses to ask AWS for them (cutover/rules/given_roles.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.aws import account_of
from settings.rules.mistake import Mistake, as_far_as_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.models import Settings


@as_far_as_known
def given_role_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield roles that no cluster of the stack could take, and nodes that would be taken for somebody else."""
    own = settings.aws.account
    for key, cluster in settings.own_clusters.items():
        for where, (arn, _) in cluster.given_roles.items():
            if own and account_of(arn) != own:
                yield Mistake(
                    "CUT442",
                    f"clusters.{key}.{where}",
                    f"{arn} is a role of another account than {own}, in which the stack stands. EKS would refuse it "
                    "once the network is up, since no role can be passed from one account to another. Write the ARN "
                    "of a role of that account",
                )
        for name, entry in cluster.access_entries.items():
            if cluster.node_role_arn and entry.principal_arn == cluster.node_role_arn:
                yield Mistake(
                    "CUT441",
                    f"clusters.{key}.accessEntries.{name}.principalArn",
                    f"{entry.principal_arn} is the nodeRoleArn of this cluster, whose entry EKS makes by itself. Its "
                    "nodes would be let in as people are, and none would become ready. Leave the entry out",
                )
