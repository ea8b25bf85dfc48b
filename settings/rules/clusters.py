"""What is wrong between the keys of clusters: versions, add-ons, sizes, keys, logins, security groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.aws import MAX_TAGS
from settings.rules.load_balancers import MAX_SECURITY_RULES
from settings.rules.mistake import Mistake, alike, as_far_as_known
from settings.rules.nodes import mistakes_of_nodes
from settings.values import KEY_FORM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.clusters import Cluster
    from settings.models import Settings

MAX_GROUPS_PER_ACTION = 5  # of an Application Load Balancer; AWS raises it for nobody
MAX_MINORS_APART = 9  # further apart, two clusters' preview rules would take one priority


@as_far_as_known
def cluster_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield what is wrong between the keys of each cluster, and between clusters."""
    for key, cluster in settings.own_clusters.items():
        yield from _mistakes_of_cluster(settings, key, cluster)
    if len(settings.clusters) > MAX_GROUPS_PER_ACTION:
        yield Mistake(
            "CUT200",
            "clusters",
            f"{len(settings.clusters)} clusters, and a weighted rule holds {MAX_GROUPS_PER_ACTION} target groups. ELB "
            "would refuse every rule. Retire a cluster first",
        )
    minors = [int(cluster.version.split(".")[1]) for cluster in settings.own_clusters.values()] or [0]
    if max(minors) - min(minors) > MAX_MINORS_APART:
        yield Mistake(
            "CUT201",
            "clusters",
            f"the versions 1.{min(minors)} and 1.{max(minors)} are more than {MAX_MINORS_APART} apart. Their preview "
            "rules would take one priority. Retire the oldest first",
        )


@as_far_as_known
def _mistakes_of_cluster(settings: Settings, key: str, cluster: Cluster) -> Iterator[Mistake]:
    begins = "v" + cluster.version.replace(".", "-")
    if not KEY_FORM.fullmatch(key):
        yield Mistake(
            "CUT110",
            f"clusters.{key}",
            f'"{key}": the key of a cluster that the stack makes is its version, such as v1-36, and v1-36-b, -c or -d '
            "for another cluster of that version. A key that hides the version lets an edit upgrade the cluster that "
            f"serves. Write {begins}",
        )
    elif key != begins and not key.startswith(f"{begins}-"):
        yield Mistake(
            "CUT202",
            f"clusters.{key}.version",
            f"{cluster.version} does not go with the key {key}. EKS changes a version in place, so the cluster "
            "that serves would be upgraded, with no way back. Put the key's version back, and add "
            f"{cluster.version} as a new cluster under the key {begins}",
        )
    minor, proxy = (int(version.split(".")[1]) for version in (cluster.version, cluster.addons.kube_proxy))
    if proxy > minor:
        yield Mistake(
            "CUT203",
            f"clusters.{key}.addons.kubeProxy",
            f"{cluster.addons.kube_proxy} is newer than the cluster's {cluster.version}. EKS has none such for it, "
            f"and would refuse the add-on once the cluster is up. Write one that begins with v{cluster.version}",
        )
    yield from mistakes_of_nodes(settings, key, cluster)
    principals = {name: entry.principal_arn for name, entry in cluster.access_entries.items()}
    for name, first in alike(principals):
        yield Mistake(
            "CUT205",
            f"clusters.{key}.accessEntries.{name}.principalArn",
            f"{principals[name]} is also the principal of {first}. EKS would refuse a second entry once the "
            "cluster is up. Leave one out",
        )
    if settings.mesh.kind == "appMesh" and cluster.controllers.app_mesh is None:
        yield Mistake(
            "CUT206",
            f"clusters.{key}.controllers.appMesh",
            "missing while mesh.kind is appMesh. The mesh's objects would find no controller. "
            "Give the chart version of appmesh-controller, or set mesh.kind to none",
        )


@as_far_as_known
def key_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield keys of KMS that EKS could not use."""
    for key, cluster in settings.own_clusters.items():
        arn = cluster.encryption_key_arn
        if arn and arn.split(":")[3] != settings.aws.region:
            yield Mistake(
                "CUT253",
                f"clusters.{key}.encryptionKeyArn",
                f"{arn} is a key of another region than {settings.aws.region}. EKS would refuse the cluster once the "
                "network is up. Take a key of the cluster's region, or the replica there of one of several regions",
            )


@as_far_as_known
def tag_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield more tags of a cluster than AWS takes."""
    everywhere = settings.aws.default_tags.tags if settings.aws.default_tags else {}
    for key, cluster in settings.own_clusters.items():
        if cluster.tags and len(both := {**everywhere, **cluster.tags}) > MAX_TAGS:
            yield Mistake(
                "CUT449",
                f"clusters.{key}.tags",
                f"{len(both)} tags, those of aws:defaultTags counted, and a node group has room for {MAX_TAGS} beside "
                "those of the program and of Pulumi. EKS would refuse it halfway through the update. Leave some out",
            )


@as_far_as_known
def login_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield ways to log in that clusters cannot follow."""
    roles = settings.aws.assume_roles
    what = {"aws:assumeRoles": f"{len(roles)} roles, one after the other"} if len(roles) > 1 else {}
    what |= {f"aws:assumeRoles[{n}].externalId": "an external id" for n, role in enumerate(roles) if role.external_id}
    for key, more in what.items():
        yield Mistake(
            "CUT243",
            key,
            f"{more}. The login to the clusters is `aws eks get-token`, which assumes one role and knows no external "
            "id, and once the first cluster is up, its API would answer Unauthorized. Write role_arn, source_profile "
            "and external_id into a profile of the AWS configuration files, and name that in aws:profile instead",
        )


@as_far_as_known
def security_group_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield more ports of pods than a security group has room for."""
    ports = {
        (settings.load_balancer_of(name), port)
        for name, route in settings.routes.items()
        for port in (route.target_type == "instance" or route.service.target_port, route.health_check.port)
        if port
    }
    ranges = [len(cluster.existing.load_balancer_cidrs) for cluster in settings.existing_clusters.values()]
    rules = len(ports) * max([1, *ranges]) + 1  # by which EKS lets nodes and control plane talk
    if rules > MAX_SECURITY_RULES:
        yield Mistake(
            "CUT244",
            "routes",
            f"their pods have so many ports, by load balancer, that they make {rules} rules in the security group of "
            f"each cluster, which holds {MAX_SECURITY_RULES}. The update would stop halfway. Let more Services use one "
            "podPort",
        )
