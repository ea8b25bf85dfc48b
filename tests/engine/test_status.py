"""`cutover status` as a user runs it, on both stacks that ship; it reads, and runs no update."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from settings import files
from settings.reading import value
from tests.engine.policies import denied
from tests.settings.test_files import RECORDED

if TYPE_CHECKING:
    from collections.abc import Callable

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
    standing.heal(0, "v1-36")
    answer = standing.sandbox.cutover("status", "v1-36", "-s", standing.name, "--json")
    standing.heal(4, "v1-36")
    assert answer.returncode == 1, answer.stderr
    assert "Traceback" not in answer.stderr
    rows = {row["check"]: row for row in json.loads(answer.stdout)["checks"]}
    verdicts = {check: row["verdict"] for check, row in rows.items()}
    unread = {check for check, verdict in verdicts.items() if verdict == "unknown"}
    previews = {f"preview of {route}" for route in standing.config["eks-cutover:routes"]}
    assert unread == {
        *previews,
        "security groups",
        "routes and network ACLs",
    }  # nobody answers, and EC2 has no interface of what is registered
    assert (verdicts["target health"], verdicts["Services"]) == ("bad", "bad")
    well = (
        "free addresses",
        "quota of rules",
        "upgrade insights",
        "workloads",
        "definitions (CRDs)",
        "other entrances",
        "rights to roll back",
        "add-ons",
        "keys",
    )
    assert {check: verdicts[check] for check in well} == dict.fromkeys(well, "ok")
    assert rows["quota of vCPU"]["evidence"].startswith("0 of 5 used; v1-36 at maxSize")
    assert rows["end of support"]["evidence"].startswith("1.36, policy ")
    assert denied(standing.sandbox) == []


def test_status_in_a_pipe_is_a_plain_table(standing: Standing) -> None:
    answer = standing.sandbox.cutover("status", "-s", standing.name)
    assert answer.returncode == 0, answer.stderr
    assert max(map(len, answer.stdout.splitlines())) <= 80
    assert "\x1b" not in answer.stdout


def test_a_stack_file_in_a_folder_of_its_own_is_found_read_and_written(stands: Callable[[str], Standing]) -> None:
    standing = stands("dev")
    folder, name = standing.sandbox.project, f"Pulumi.{standing.name}.yaml"
    project, before = (folder / "Pulumi.yaml").read_text(), (folder / name).read_text()
    (folder / "stacks").mkdir()
    try:
        (folder / "Pulumi.yaml").write_text(f"{project}stackConfigDir: stacks\n")
        (folder / name).rename(folder / "stacks" / name)
        assert standing.sandbox.cutover("status", "-s", standing.name).returncode == 0
        said = standing.sandbox.cutover("shift", "v1-36=30", "-s", standing.name, "--write-only")
        assert said.returncode == 0, said.stderr
        assert f"stacks/{name}: v1-35 70, v1-36 30" in said.stdout
        assert "v1-36: 30" in (folder / "stacks" / name).read_text()
        assert not (folder / name).exists()
    finally:
        (folder / "Pulumi.yaml").write_text(project)
        (folder / name).write_text(before)
        (folder / "stacks" / name).unlink()
        (folder / "stacks").rmdir()


def test_the_engine_reads_what_was_recorded_of_it(stands: Callable[[str], Standing]) -> None:
    standing = stands("dev")
    path = standing.sandbox.project / f"Pulumi.{standing.name}.yaml"
    before = path.read_text()
    begin = "config:\n  a:top: "
    rows = [
        row["text"].removeprefix(begin).splitlines()[0] for row in RECORDED if row["config"] and begin in row["text"]
    ]
    assert len(rows) > 80
    salt = "".join(line for line in before.splitlines(keepends=True) if line.startswith("encryptionsalt"))
    try:
        path.write_text(f"{salt}config:\n" + "".join(f"  a:k{n}:\n    x: {row}\n" for n, row in enumerate(rows)))
        said = standing.sandbox.pulumi("config", "--json", "-s", standing.name)
        mine = files.handed(files.config(path.parent, "eks-cutover", standing.name))
    finally:
        path.write_text(before)
    assert {key: value(one["value"]) for key, one in json.loads(said.stdout).items()} == {
        key: value(one) for key, one in mine.items()
    }
