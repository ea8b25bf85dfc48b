"""ARNs that are of another partition of AWS than the region. Refuses to own what else an ARN may be (settings/)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.rules.mistake import Mistake, as_far_as_known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings.clusters import Cluster
    from settings.models import Settings


@as_far_as_known
def partition_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield ARNs that are of another partition of AWS than the region."""
    partition = settings.aws.partition
    for key, arn in _arns(settings).items():
        if arn and not arn.startswith(f"arn:{partition}:"):
            yield Mistake(
                "CUT242",
                key,
                f"{arn} is not of {settings.aws.region}, whose ARNs begin with arn:{partition}. AWS would find nothing "
                "of that name. Give one that begins so",
            )


def _arns(settings: Settings) -> Mapping[str, str | None]:
    """Return every ARN that may stand in the file, by its key."""
    arns: dict[str, str | None] = {
        f"aws:assumeRoles[{place}].roleArn": role.role_arn for place, role in enumerate(settings.aws.assume_roles)
    }
    for key, balancer in settings.own_load_balancers.items():
        arns[f"loadBalancers.{key}.certificateArn"] = balancer.certificate_arn
        arns[f"loadBalancers.{key}.dns.assumeRole"] = balancer.dns.assume_role
        arns[f"loadBalancers.{key}.webAclArn"] = balancer.web_acl_arn
        more = {f"certificateArns[{place}]": arn for place, arn in enumerate(balancer.certificate_arns)}
        arns |= {f"loadBalancers.{key}.{where}": arn for where, arn in more.items()}
    for key, cluster in settings.own_clusters.items():
        arns |= {f"clusters.{key}.{where}": arn for where, arn in _of_cluster(cluster).items()}
    for key, cluster in settings.existing_clusters.items():
        registers = cluster.load_balancer_controller.iam_role_arn_to_assume
        arns[f"clusters.{key}.existing.assumeRole"] = cluster.role
        arns[f"clusters.{key}.loadBalancerController.iamRoleArnToAssume"] = registers
    arns |= {f"podIdentities.{account}": arn for account, arn in settings.pod_identities.items()}
    arns["iam.permissionsBoundary"] = settings.iam.permissions_boundary
    return arns


def _of_cluster(cluster: Cluster) -> Mapping[str, str | None]:
    arns: dict[str, str | None] = {
        f"accessEntries.{name}.principalArn": entry.principal_arn for name, entry in cluster.access_entries.items()
    }
    arns["encryptionKeyArn"] = cluster.encryption_key_arn
    arns |= {key: arn for key, (arn, _) in cluster.given_roles.items()}
    for name, role in ((name, addon.role) for name, addon in cluster.addons.others.items() if addon.role):
        arns[f"addons.{name}.role.roleArn"] = role.role_arn
        arns |= {f"addons.{name}.role.policyArns[{place}]": arn for place, arn in enumerate(role.policy_arns)}
    return arns
