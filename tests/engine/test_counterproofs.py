"""What the design prevents does lose requests once the gate is overridden, and the rehearsal sees it.

Two more counterproofs need no engine and stand in tests/rehearsal/world/test_mesh_controller.py: one mesh name for two
clusters, and Cloud Map services that a controller made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.under_load import NEW, OLD, lost, under_load, weights

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rehearsal.engine.executable import Engine
    from rehearsal.play.stackfile import Config
    from tests.engine.under_load import UnderLoad


@pytest.fixture(scope="module")
def old_alone(pulumi_engine: Engine) -> Generator[UnderLoad]:
    """Give all tests a stack under load whose new cluster has no pod that lives."""
    with under_load(pulumi_engine, dead=NEW) as stack:
        yield stack


def _forced(old: int, new: int, change: Callable[[Config], None] = lambda _: None) -> Callable[[Config], None]:
    def edit(config: Config) -> None:
        weights(old, new)(config)
        change(config)
        override = {"weights": {OLD: old, NEW: new}, "reason": "a counterproof"}
        config["eks-cutover:gate"] = {"override": override}

    return edit


def test_an_early_raise_loses_requests_of_the_new_cluster_alone_when_it_is_forced(old_alone: UnderLoad) -> None:
    with old_alone.noting("refused") as refused:
        assert "the gate refuses" in old_alone.up(weights(80, 20)).failure
    with old_alone.noting("forced") as forced:
        assert not old_alone.up(_forced(80, 20)).failure
    assert not old_alone.up().failure
    assert lost(refused) == []
    assert {answer.route for answer in lost(forced)} == {"web", "grpc-api"}
    assert {NEW in answer.group for answer in lost(forced)} == {True}
    assert {answer.cluster for answer in forced if not answer.failed} == {OLD}


def test_a_target_group_that_is_replaced_while_it_serves_loses_the_requests_of_its_route(old_alone: UnderLoad) -> None:
    def replaced(config: Config) -> None:
        config["eks-cutover:routes"]["web"]["protocolVersion"] = "HTTP2"

    old_alone.unprotect("web")
    with old_alone.noting("refused") as refused:
        assert "the gate refuses" in old_alone.preview(replaced).failure
    with old_alone.noting("forced") as forced:
        assert not old_alone.up(_forced(100, 0, replaced)).failure
    old_alone.unprotect("web")
    assert not old_alone.up(_forced(100, 0)).failure
    old_alone.until_healthy(OLD)
    assert lost(refused) == []
    assert {(answer.route, answer.status) for answer in lost(forced)} == {("web", 503)}
