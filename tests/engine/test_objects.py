"""Objects in the clusters that somebody has edited, or that the controllers' webhooks would not let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.cloud.kubernetes.cluster import LOAD_BALANCER_CONTROLLER, Cluster, set_answering
from rehearsal.cloud.kubernetes.managers import edit_by_hand

if TYPE_CHECKING:
    from rehearsal.play.stackfile import Config
    from tests.engine.standing import Standing

pytestmark = pytest.mark.parametrize("standing", ["dev"], indirect=True)  # the one with a mesh

KEY = "v1-36"


def _inside(standing: Standing) -> Cluster:
    return Cluster(standing.sandbox.store, f"{standing.name}-{KEY}")


def test_whatever_is_edited_by_hand_stops_no_update_and_is_told(standing: Standing) -> None:
    cluster = _inside(standing)

    def look() -> list[Any]:
        return [
            cluster.all("TargetGroupBinding")[0]["spec"]["serviceRef"],
            (cluster.get("Namespace", "", "web") or {})["metadata"]["labels"],
            cluster.all("VirtualNode")[0]["spec"]["podSelector"],
        ]

    before = look()
    web = {"kind": "Namespace", "metadata": {"name": "web"}}
    edits: list[tuple[Any, tuple[str, ...]]] = [
        (cluster.all("TargetGroupBinding")[0], ("spec", "serviceRef", "name")),
        (web, ("metadata", "labels", "elbv2.k8s.aws/pod-readiness-gate-inject")),
        (cluster.all("VirtualNode")[0], ("spec", "podSelector", "matchLabels", "app")),
    ]
    for one, path in edits:
        place = one["metadata"].get("namespace", ""), one["metadata"]["name"]
        edit_by_hand(cluster, one["kind"], *place, fields={path: "by-hand"})
    assert look() != before
    said = standing.sandbox.pulumi("up", "--yes", "--refresh", "-s", standing.name)
    assert said.returncode == 0, said.stdout
    assert look() == before
    for path in (".".join(path) for _, path in edits):
        assert f"{path} was set to by-hand by kubectl-edit on 20" in said.stdout
    assert "To keep that, change the stack file." in said.stdout


def test_what_a_webhook_would_refuse_ends_the_preview_and_nothing_that_it_is_not_asked_about(
    standing: Standing,
) -> None:
    cluster = _inside(standing)
    binding = cluster.all("TargetGroupBinding")[0]
    route, namespace = binding["metadata"]["name"], binding["metadata"]["namespace"]

    def another_port(config: Config) -> None:
        config["eks-cutover:routes"][route]["service"]["port"] = 81

    twin = {**binding, "metadata": {**binding["metadata"], "name": "by-hand"}}
    cluster.put("TargetGroupBinding", namespace, "by-hand", twin)
    twice = standing.preview(another_port).failure
    cluster.delete("TargetGroupBinding", namespace, "by-hand")
    assert f"has another TargetGroupBinding in {KEY} already, {namespace}/by-hand" in twice

    set_answering(standing.sandbox.store, cluster.name, LOAD_BALANCER_CONTROLLER, answering=False)
    down, untouched = standing.preview(another_port).failure, standing.preview().failure
    set_answering(standing.sandbox.store, cluster.name, LOAD_BALANCER_CONTROLLER, answering=True)
    assert f"no pod of {LOAD_BALANCER_CONTROLLER} is ready in {KEY}" in down
    assert "failed calling webhook" not in down
    assert untouched == ""
    assert standing.preview(another_port).failure == ""
