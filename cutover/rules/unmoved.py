"""What does not move with weights at all: data, entrances of its own, and meshes that span clusters. Checks. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cutover.rules.check import Check
from cutover.rules.objects import labels, name_of, own, readable
from cutover.rules.verdict import Verdict, known, some

if TYPE_CHECKING:
    from cutover.rules.check import Judged
    from cutover.rules.facts import Facts
    from cutover.rules.verdict import Objects


def _meshes(facts: Facts) -> Judged:
    clusters = {facts.key: facts.here, **({facts.peer: facts.there} if facts.peer else {})}
    said = [f"{one} in {key}" for key, inside in clusters.items() for one in _spanning(inside)]
    if not said:
        for inside in clusters.values():
            for kind in ("secrets", "definitions", "imports", "exports"):
                known(inside[kind])
        return Verdict.OK, "none was found", ""
    cure = "A pod may answer in the other cluster, so weights and metrics lie: let Services of routes stay local"
    return Verdict.WARN, some(said), cure


def _state(facts: Facts) -> Judged:
    peer, there = facts.peer, facts.there
    sets = [f"StatefulSet {name_of(one)}" for one in own(there, "statefulsets")]
    volumes = [
        f"volume {name_of(one)}" for one in own(there, "volumes") if one.get("status", {}).get("phase") == "Bound"
    ]
    if kept := [*sets, *volumes]:
        cure = "Weights move requests and no data: keep it outside of the clusters, or move it by hand"
        return Verdict.WARN, f"in {peer}: {some(kept)}", cure
    return Verdict.OK, f"{peer} keeps none", ""


def _entrances(facts: Facts) -> Judged:
    peer, there = facts.peer, facts.there
    found = [name_of(one) for one in own(there, "services") if one["spec"].get("type") == "LoadBalancer"]
    if found:
        cure = "Their clients do not follow weights: make them routes, or move their names yourself"
        return Verdict.WARN, f"LoadBalancer Services in {peer}: {some(found)}", cure
    return Verdict.OK, f"{peer} has no LoadBalancer Service", ""


def _spanning(inside: Objects) -> list[str]:
    """Return what spans clusters; what could not be read does not."""
    secrets = readable(inside, "secrets")
    definitions = {name_of(one) for one in readable(inside, "definitions")}
    found = {
        "Istio multi-cluster": any(labels(one).get("istio/multiCluster") == "true" for one in secrets),
        "Cilium Cluster Mesh": any(one["metadata"]["name"] == "cilium-clustermesh" for one in secrets),
        "Linkerd multicluster": "links.multicluster.linkerd.io" in definitions,
        "Submariner": "clusters.submariner.io" in definitions,
        "multi-cluster Services": bool([*readable(inside, "imports"), *readable(inside, "exports")]),
    }
    return [name for name, is_there in found.items() if is_there]


CHECKS = (
    Check(
        code="CUT022",
        title="state",
        why="Weights move requests and no data. What the old cluster keeps on its volumes is not in the new one.",
        evidence="StatefulSets and bound volumes of the cluster that serves.",
        cure="Keep the data outside of the clusters, or move it by hand before the first request.",
        page="https://kubernetes.io/docs/concepts/storage/persistent-volumes/",
        judged=_state,
        beside=True,
    ),
    Check(
        code="CUT023",
        title="other entrances",
        why="Clients of a load balancer that a cluster made do not follow weights, and lose it with the cluster.",
        evidence="Services of type LoadBalancer in the cluster that serves.",
        cure="Make them routes, or move their names yourself.",
        page="https://docs.aws.amazon.com/eks/latest/userguide/network-load-balancing.html",
        judged=_entrances,
        beside=True,
    ),
    Check(
        code="CUT024",
        title="multi-cluster mesh",
        why="Where a mesh spans clusters, a pod of the other one may answer, and metrics by cluster say nothing.",
        evidence="Secrets, definitions and multi-cluster Services by which Istio, Cilium, Linkerd and Submariner join.",
        cure="Keep the Services of routes local to their cluster.",
        page="https://multicluster.sigs.k8s.io/concepts/multicluster-services-api/",
        judged=_meshes,
    ),
)
