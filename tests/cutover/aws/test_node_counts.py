"""How many nodes a group is to have when its sizes in the stack file are edited, whoever has scaled it meanwhile."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from cutover.aws import node_counts
from cutover.aws.node_counts import read
from cutover.rules.node_counts import Group, count, words
from settings.clusters import Cluster
from settings.nodes import Nodes
from settings.owner import SIZES_TAG
from tests.conftest import record_program, stack_config
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def nodes(least: int, desired: int, most: int) -> Nodes:
    own = {"minSize": least, "desiredSize": desired, "maxSize": most}
    return Nodes.model_validate_json(json.dumps({"instanceTypes": ["m7i.large"], **own}))


@pytest.mark.parametrize(
    ("applied", "live", "edited", "becomes"),
    [
        ((2, 2, 6), 2, (2, 2, 6), None),
        ((2, 2, 6), 5, (2, 2, 6), None),  # an autoscaler's, and no edit
        ((2, 2, 6), 2, (4, 4, 6), 4),  # what the gate advises
        ((2, 2, 6), 5, (4, 4, 6), 5),  # the edit of desiredSize that this takes shrinks nothing
        ((2, 2, 6), 2, (2, 4, 6), 4),
        ((4, 4, 6), 4, (2, 2, 6), 2),  # nobody has scaled it: the file decides
        ((2, 4, 6), 5, (2, 2, 6), 5),  # somebody has
        ((2, 2, 6), 5, (2, 2, 8), 5),  # more room, and not the number at the start
        ((2, 2, 6), 5, (2, 2, 4), 4),
        ((2, 2, 6), 5, (2, 6, 8), 6),
        ((2, 2, 6), 5, (0, 0, 6), 0),  # it is to leave, whoever has scaled it
        ((0, 0, 6), 2, (0, 0, 6), 0),
        ((0, 0, 6), 0, (0, 0, 6), None),
        ((3, 3, 6), 2, (3, 3, 6), 3),  # an update that EKS refused halfway, after the tag was written
        (None, 2, (2, 2, 6), None),  # made by an older version of the program, which left no tag
        (None, 2, (4, 4, 6), 4),
        (None, 5, (2, 2, 8), 5),
    ],
)
def test_an_edit_of_sizes_gives_the_number_that_it_says(
    applied: tuple[int, int, int] | None, live: int, edited: tuple[int, int, int], becomes: int | None
) -> None:
    group = Group(applied=applied, least=applied[0] if applied else 2, desired=live, most=applied[2] if applied else 6)
    assert count(nodes(*edited), group) == becomes


sizes = st.lists(st.integers(1, 20), min_size=3, max_size=3).map(lambda one: tuple(sorted(one)))


@given(sizes, sizes, st.integers(1, 30))
def test_eks_takes_every_number_and_none_leaves_a_group_alone_that_it_would_refuse(
    applied: tuple[int, int, int], edited: tuple[int, int, int], live: int
) -> None:
    group = Group(applied=applied, least=applied[0], desired=live, most=applied[2])
    wanted = count(nodes(*edited), group)
    if edited != applied:
        assert wanted is not None
    if wanted is not None:
        assert edited[0] <= wanted <= edited[2]
    if wanted is not None and applied[:2] == edited[:2] and live <= edited[2]:
        assert wanted >= live, "more room takes no node away"


def one(least: int, desired: int, most: int) -> Cluster:
    return _cluster(nodes(least, desired, most))


def _cluster(given: Nodes | dict[str, Nodes]) -> Cluster:
    return settings_of("prod").own_clusters["v1-35"].model_copy(update={"nodes": given})


def said(cluster: Cluster, group: Group, name: str = "nodes", *, serves: bool = True) -> list[tuple[str, bool]]:
    return words("v1-35", cluster, name, group, serves=serves)


def test_of_several_groups_it_is_said_which() -> None:
    both = _cluster({"nodes": nodes(2, 2, 4), "batch": nodes(0, 0, 4)})
    assert said(both, Group(applied=(1, 1, 4), least=1, desired=3, most=4), "batch") == [
        (
            "clusters.v1-35.nodes.batch: v1-35 has 3 nodes in batch, and 0 after this update. It serves, and what runs "
            "on the others moves: look at the need of each group first (cutover status).",
            True,
        )
    ]


def test_a_preview_says_how_many_nodes_come_or_go_and_what_an_edit_does_not_do() -> None:
    grown = Group(applied=(2, 4, 6), least=2, desired=5, most=6)
    assert said(one(2, 4, 6), grown) == []
    assert said(one(6, 6, 9), grown) == [("clusters.v1-35.nodes: v1-35 has 5 nodes, and 6 after this update.", False)]
    assert said(one(2, 4, 4), grown) == [
        (
            "clusters.v1-35.nodes: v1-35 has 5 nodes, and 4 after this update. It serves, and what runs on the others "
            "moves: look at the need of each group first (cutover status).",
            True,
        )
    ]
    assert said(one(2, 3, 6), grown, serves=False) == [
        (
            "clusters.v1-35.nodes.desiredSize: 3 takes no node away. v1-35 has 5, since an autoscaler or somebody else "
            "has changed their number meanwhile. To have no more than 3, write maxSize: 3.",
            True,
        )
    ]


class _Eks(boto3.Session):
    def __init__(self, groups: dict[str, Any]) -> None:
        self._groups = groups

    def client(self, *_: object, **__: object) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        def names(clusterName: str) -> Sequence[Any]:  # noqa: N803
            if clusterName not in self._groups:
                raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "ListNodegroups")
            return [{"nodegroups": ["team-own", *self._groups[clusterName]]}]

        return SimpleNamespace(
            get_paginator=lambda _: SimpleNamespace(paginate=names),  # pyright: ignore[reportUnknownLambdaType]
            describe_nodegroup=lambda clusterName, nodegroupName: {  # pyright: ignore[reportUnknownLambdaType]  # noqa: N803
                "nodegroup": self._groups[clusterName][nodegroupName]
            },
        )


def test_the_groups_of_clusters_that_stand_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    scaling = {"minSize": 2, "desiredSize": 5, "maxSize": 6}
    groups: dict[str, Any] = {
        "dev-v1-35": {
            "v1-35-nodes-0a1b2c3": {"scalingConfig": scaling, "tags": {SIZES_TAG: "2/3/6"}},
            "v1-35-nodes-batch-0a1b2c3": {"scalingConfig": {**scaling, "maxSize": 9}},
        }
    }
    monkeypatch.setattr(node_counts, "session", lambda _: _Eks(groups))
    first = {("v1-35", "nodes"): Group(applied=(2, 3, 6), least=2, desired=5, most=6)}
    assert read(settings_of("dev")) == first
    one = stack_config("dev")["eks-cutover:clusters"]["v1-35"]["nodes"]
    several = settings_of("dev", {"clusters.v1-35.nodes": {"nodes": one, "batch": one, "new": one}})
    assert read(several) == {**first, ("v1-35", "batch"): Group(applied=None, least=2, desired=5, most=9)}


def test_a_silent_eks_leaves_every_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_counts, "session", lambda _: object())
    assert read(settings_of("dev")) == {}


def test_the_component_is_told_the_same_whatever_the_number_of_nodes_is_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    grown = Group(applied=(1, 1, 4), least=1, desired=5, most=6)
    same = Group(applied=(2, 2, 6), least=2, desired=5, most=6)
    monkeypatch.setattr(node_counts, "read", lambda _: {("v1-35", "nodes"): grown, ("v1-36", "nodes"): same})
    groups = record_program(stack_config("dev")).of("ManagedNodeGroup")
    assert len(groups) == 2
    for group in groups.values():
        assert group.inputs["scalingConfig"] == {"minSize": 2, "desiredSize": 2, "maxSize": 6}
        assert "ignoreScalingChanges" not in group.inputs
        assert group.inputs["tags"][SIZES_TAG] == "2/2/6"
