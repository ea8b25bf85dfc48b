"""`cutover status` as a user runs it, on both stacks that ship; it reads, and runs no update."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.engine.standing import Standing


def test_status_shows_every_route_in_every_cluster_as_the_stack_file_says(standing: Standing) -> None:
    answer = standing.sandbox.cutover("status", "-s", standing.name, "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    weights, routes = standing.config["eks-cutover:weights"], standing.config["eks-cutover:routes"]
    assert {(one["route"], one["cluster"]): one["liveWeight"] for one in found["places"]} == {
        (route, cluster): weight for route in routes for cluster, weight in weights.items()
    }
    assert (found["driftedRoutes"], found["halfMovedRoutes"], found["hold"]) == ([], [], None)
    assert {one["cluster"]: one["version"] for one in found["clusters"]} == {"v1-35": "1.35", "v1-36": "1.36"}


def test_status_of_a_cluster_reads_all_that_stands_around_and_inside_and_tells_what_is_bad(standing: Standing) -> None:
    """Nothing runs in these clusters, and nobody answers at their load balancers: no check may take that for health."""
    answer = standing.sandbox.cutover("status", "v1-36", "-s", standing.name, "--json")
    assert answer.returncode == 1, answer.stderr
    assert "Traceback" not in answer.stderr
    rows = {row["check"]: row for row in json.loads(answer.stdout)["checks"]}
    verdicts = {check: row["verdict"] for check, row in rows.items()}
    unread = {check for check, verdict in verdicts.items() if verdict == "unknown"}
    assert unread == {f"preview of {route}" for route in standing.config["eks-cutover:routes"]}
    assert (verdicts["target health"], verdicts["Services"]) == ("bad", "bad")
    well = (
        "free addresses",
        "quota of rules",
        "upgrade insights",
        "workloads",
        "definitions (CRDs)",
        "other entrances",
    )
    assert {check: verdicts[check] for check in well} == dict.fromkeys(well, "ok")
    assert rows["quota of vCPU"]["evidence"].startswith("0 of 5 used; v1-36 at maxSize")
    assert rows["end of support"]["evidence"].startswith("1.36, policy ")


def test_status_in_a_pipe_is_a_plain_table(standing: Standing) -> None:
    answer = standing.sandbox.cutover("status", "-s", standing.name)
    assert answer.returncode == 0, answer.stderr
    assert max(map(len, answer.stdout.splitlines())) <= 80
    assert "\x1b" not in answer.stdout
