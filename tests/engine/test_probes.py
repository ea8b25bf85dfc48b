"""A gateway that is healthy and answers everything with 404 gets no share: by no command, and by no `pulumi up`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cutover.aws.probe_records import record_name
from cutover.commands.terminal import Code
from rehearsal.play import stackfile
from rehearsal.world.workloads import WORKLOAD
from tests.cutover.tagged import OWNER
from tests.engine.under_load import NEW, OLD, under_load, weights

if TYPE_CHECKING:
    from collections.abc import Generator

    from rehearsal.engine.executable import Engine
    from rehearsal.play.stackfile import Config
    from tests.engine.under_load import UnderLoad

_SEEN = "GET https://app.example.com/account is answered with 404 in place of 200"


@pytest.fixture(scope="module")
def gateway(pulumi_engine: Engine) -> Generator[UnderLoad]:
    """Bring dev up with all traffic on the old cluster; the new one's gateway knows nothing behind it."""

    def probes(config: Config) -> None:
        config["eks-cutover:routes"]["web"]["probes"] = [{"path": "/account"}]

    with under_load(pulumi_engine, asked=False, proven=[OLD]) as stack:
        stackfile.edit(stack.sandbox.project, "dev", probes)
        stack.sandbox.store.put(WORKLOAD, f"{NEW}|web", {"status": 404})
        yield stack


def _alone(stack: UnderLoad) -> bool:
    return stack.live() == {route: {OLD: 100, NEW: 0} for route in ("web", "grpc-api")}


def test_what_nobody_has_asked_or_answers_404_gets_no_share_by_any_way(gateway: UnderLoad) -> None:
    run = gateway.up(weights(99, 1))
    assert f"web: {NEW} has no share yet, and nobody has asked its probes" in run.failure
    assert f"cutover status {NEW} -s dev" in run.failure
    for command in (("shift", f"{NEW}=1"), ("promote", NEW)):
        said = gateway.sandbox.cutover(*command, "-s", "dev", "--yes")
        assert said.returncode == Code.REFUSED, said.stderr
        assert _SEEN in " ".join(said.stderr.split())
    guarded = gateway.preview(weights(99, 1)).failure  # what `guard` shows, from where no load balancer is reached
    assert f"web: {NEW} has no share yet, and its probes were last asked by " in guarded
    assert f"and failed: {_SEEN}" in guarded
    shown = json.loads(gateway.sandbox.cutover("status", NEW, "-s", "dev", "--json").stdout)
    rows = {row["check"]: row for row in shown["checks"]}
    assert (rows["target health"]["verdict"], rows["probes of web"]["verdict"]) == ("ok", "bad")
    assert "preview of web" not in rows
    assert _alone(gateway)


def test_once_it_is_mended_it_gets_its_share_and_whoever_reaches_nobody_goes_by_what_was_seen(
    gateway: UnderLoad,
) -> None:
    gateway.sandbox.store.delete(WORKLOAD, f"{NEW}|web")
    said = gateway.sandbox.cutover("shift", f"{NEW}=1", "-s", "dev", "--yes")
    assert said.returncode == Code.DONE, said.stderr
    assert gateway.live()["web"] == {OLD: 99, NEW: 1}
    assert gateway.sandbox.cutover("shift", f"{OLD}=100", "-s", "dev", "--yes").returncode == Code.DONE
    record = gateway.sandbox.aws("ssm").get_parameter(Name=record_name(OWNER, "web", NEW))["Parameter"]["Value"]
    assert json.loads(record)["failed"] == ""
    nowhere: dict[str, str] = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
    said = gateway.sandbox.cutover("shift", f"{NEW}=1", "-s", "dev", "--yes", env=nowhere)
    assert said.returncode == Code.DONE, said.stderr
    assert f"{NEW}: not asked from here: GET https://app.example.com/account: " in said.stderr
