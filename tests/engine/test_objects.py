"""Objects in the clusters that somebody has edited, or that the controllers' webhooks would not let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.kubernetes.cluster import Cluster
from rehearsal.kubernetes.managers import edit_by_hand

if TYPE_CHECKING:
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
