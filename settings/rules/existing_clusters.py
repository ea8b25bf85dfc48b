"""What is wrong between the keys of clusters that others made, and between their free keys and all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.aws import MAX_TAGS
from settings.bindings import SINCE, level
from settings.rules.mistake import Mistake, alike, as_far_as_known
from settings.values import KEY_FORM, slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.existing_clusters import ExistingCluster
    from settings.models import Settings

_LONGEST_GROUP = 32
_AUTO_NAMED = len("-1234567")


@as_far_as_known
def existing_cluster_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield what is wrong with each cluster that others made, and keys that would get one place on a listener."""
    for key, cluster in settings.existing_clusters.items():
        yield from _controller_mistakes(key, cluster)
        yield from _level_mistakes(key, cluster)
        yield from _account_mistakes(key, cluster)
        yield from _tag_mistakes(settings, key)
        yield from _name_mistakes(settings, key)
    free = [key for key in settings.clusters if not KEY_FORM.fullmatch(key)]
    for key, first in alike({key: slot(key) for key in settings.clusters}):
        named = key if key in free else first
        if named in free:
            other = first if named == key else key
            yield Mistake(
                "CUT270",
                f"clusters.{named}",
                f"the place of its preview rules, which its key gives, is that of {other}, and ELB has none for two "
                "rules (PriorityInUse). The update would stop halfway. Give it another key, such as "
                f"{_other(settings, named)}",
            )


@as_far_as_known
def joined_group_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield routes and clusters whose names are one once they are joined: Pulumi takes a name once."""
    pairs = [(route, key) for key in settings.clusters for route in settings.routes]
    for (route, key), (first, other) in alike({pair: "-".join(pair) for pair in pairs}):
        yield Mistake(
            "CUT275",
            f"clusters.{key}",
            f"its target group of {route} would be {route}-{key} in Pulumi, as that of {first} in {other} is, and a "
            "name is taken once. No preview would end. Give the cluster another key",
        )


@as_far_as_known
def _controller_mistakes(key: str, cluster: ExistingCluster) -> Iterator[Mistake]:
    controller = cluster.load_balancer_controller
    where = f"clusters.{key}.loadBalancerController.version"
    if controller.managed_by == "stack" and controller.version is None:
        yield Mistake(
            "CUT271",
            where,
            "missing, and the stack is to install the controller. An unpinned one would change unplanned. Write e.g. "
            "3.5.0",
        )
    if controller.managed_by != "stack" and controller.version is not None:
        who = "somebody else" if controller.managed_by == "external" else "AWS"
        yield Mistake(
            "CUT272",
            where,
            f"{controller.version}, and {who} installs the controller. Nobody would read it. Leave it out, or write "
            "managedBy: stack",
        )
    if controller.managed_by == "stack" and cluster.bindings.apply_by == "gitops":
        yield Mistake(
            "CUT273",
            f"clusters.{key}.loadBalancerController.managedBy",
            "stack, and bindings.applyBy is gitops. To install the controller the stack would need the Kubernetes API "
            "that gitops is to spare it. Let GitOps install it too (external), or the stack apply both",
        )


@as_far_as_known
def _level_mistakes(key: str, cluster: ExistingCluster) -> Iterator[Mistake]:
    controller, where = cluster.load_balancer_controller, f"clusters.{key}.loadBalancerController.crdLevel"
    if controller.crd_level is None:
        return
    if controller.managed_by != "external":
        who = "the stack installs" if controller.managed_by == "stack" else "AWS has"
        yield Mistake(
            "CUT289",
            where,
            f"{controller.crd_level}, and {who} the controller and its CRDs. Nobody would read it. Leave it out",
        )
    needed = [*cluster.registers_as, *(["vpcID"] if cluster.let_in else [])]
    if lacking := [field for field in needed if level(controller.crd_level) < SINCE[field]]:
        major, minor = max(SINCE[field] for field in lacking)
        yield Mistake(
            "CUT290",
            where,
            f"{controller.crd_level}, whose bindings know no {' and no '.join(lacking)}. Without it nothing of {key} "
            "would be registered in the load balancer's account and VPC. Have the controller there, and its CRDs, "
            f"upgraded to {major}.{minor} or later",
        )


@as_far_as_known
def _account_mistakes(key: str, cluster: ExistingCluster) -> Iterator[Mistake]:
    controller, where = cluster.load_balancer_controller, f"clusters.{key}.loadBalancerController"
    if controller.managed_by == "stack" and cluster.role:
        yield Mistake(
            "CUT280",
            f"{where}.managedBy",
            f"stack, and the cluster is reached by {cluster.role}. The controller's own role would be made in another "
            "account than the cluster's, whose pods could not have it. Let its maker install it, and write external",
        )
    if controller.managed_by == "autoMode" and cluster.registers_as:
        yield Mistake(
            "CUT281",
            f"{where}.{next(iter(cluster.registers_as))}",
            "given, and the bindings of EKS Auto Mode know no such field. Nobody would read it. Leave it out",
        )
    if len(cluster.registers_as) == 1:
        (given,) = cluster.registers_as
        lacking = {"iamRoleArnToAssume", "assumeRoleExternalId"} - {given}
        yield Mistake(
            "CUT282",
            f"{where}.{lacking.pop()}",
            f"missing, and {given} is given. A controller before 3.3 sends an empty external id for none, which STS "
            "refuses, so that nothing could be bound (aws-load-balancer-controller #4656). Write both; a trust that "
            "asks for no external id takes any",
        )
    if cluster.existing.load_balancer_cidrs and cluster.security_group_rules == "none":
        yield Mistake(
            "CUT283",
            f"clusters.{key}.existing.loadBalancerCidrs",
            "given, and securityGroupRules is none. Nobody would let these ranges in. Leave them out, or write manage",
        )


@as_far_as_known
def _tag_mistakes(settings: Settings, key: str) -> Iterator[Mistake]:
    tags = settings.aws.default_tags.tags if settings.aws.default_tags else {}
    if settings.group_tags(key) and len(tags) == MAX_TAGS:
        yield Mistake(
            "CUT279",
            "aws:defaultTags",
            f"{MAX_TAGS} tags, and the target groups of {key} need one more, so that EKS Auto Mode may empty them. AWS "
            "takes 50, and the update would stop halfway. Leave one out",
        )


@as_far_as_known
def _name_mistakes(settings: Settings, key: str) -> Iterator[Mistake]:
    for route in settings.routes:
        fixed = settings.group_name(route, key)
        name, room = (fixed, _LONGEST_GROUP) if fixed else (f"{route}-{key}", _LONGEST_GROUP - _AUTO_NAMED)
        if len(name) > room:
            taken = "" if fixed else ", of which auto-naming takes 8"
            yield Mistake(
                "CUT274",
                f"clusters.{key}",
                f"its target group of {route} would be {name}, of {len(name)} characters, and ELB gives it "
                f"{_LONGEST_GROUP}{taken}. ELB would refuse it. Give the cluster a shorter key, or the route a shorter "
                "name",
            )


def _other(settings: Settings, key: str) -> str:
    taken = {slot(one) for one in settings.clusters}
    return next(name for letter in "abcdefghij" if slot(name := f"{key}-{letter}") not in taken)
