"""What a killed command leaves in the stack file: who tells of it, who builds nothing upon it, and what settles it.

AWS is the emulated one. The engine is a stand-in, but for the process that is really killed.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cutover.aws import support
from cutover.commands import moving, rollback_plan
from cutover.commands.app import app
from cutover.commands.terminal import Code, results
from cutover.engine import unconfirmed
from cutover.engine.project import Project
from cutover.engine.stack_file import ProjectError
from cutover.rules.run import Run
from tests.conftest import ROOT
from tests.cutover.fake_engine import HEAD, Engine
from tests.cutover.tagged import reach, tagged
from tests.rehearsal.emulated import running
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

ROUTES = ("web", "grpc-api")
COPY = ".Pulumi.dev.yaml.cutover"
KILLED = """
import os, signal, sys
from pathlib import Path
from cutover.engine.project import Project
project = Project(Path(sys.argv[1]), "dev")
with project.alone(), project.tentative(print) as keep:
    with project._editing():
        project.file.write_text("config: {eks-cutover:weights: {v1-35: 40, v1-36: 60}}")
    if sys.argv[2] == "confirmed":
        keep()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "Pulumi.yaml").write_text("name: eks-cutover\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("# Ours.\nconfig: {eks-cutover:weights: {v1-35: 50, v1-36: 50}}\n")
    return Project(tmp_path, "dev")


def edited(project: Project, text: str) -> None:
    """Leave an edit as a command leaves it that is killed before it is confirmed."""
    unconfirmed.keep(project.file)
    project.file.write_text(text)


def found(project: Project) -> list[str]:
    left = project.unconfirmed()
    return left.found if left else []


def test_after_a_kill_the_edit_that_nobody_has_confirmed_is_told_and_taken_back_as_it_says(project: Project) -> None:
    before = project.file.read_bytes()
    for when, tells in (("confirmed", []), ("asked", ["v1-35: 40", "v1-36: 60"])):
        project.file.write_bytes(before)
        ended = subprocess.run([sys.executable, "-c", KILLED, str(project.folder), when], cwd=ROOT, check=False)
        assert ended.returncode == -signal.SIGKILL
        assert [f"{one.rpartition('.')[2].split(':')[0]}: {one.split()[-1]}" for one in found(project)] == tells
    left = project.unconfirmed()
    assert left
    assert str(left.changes[0]) == "eks-cutover:weights.v1-35: 50 -> 40"
    back = left.cure.partition("take that back: ")[2].partition(". To keep")[0]
    subprocess.run(back, shell=True, check=True)  # as somebody does who copies it
    assert project.file.read_bytes() == before
    assert project.unconfirmed() is None


def test_a_command_that_is_at_work_has_left_nothing(project: Project) -> None:
    another = Project(project.folder, "dev")
    with project.alone(), project.tentative(print), project._editing():  # pyright: ignore[reportPrivateUsage]
        project.file.write_text("config: {}\n")
        assert another.unconfirmed() is None
        assert (project.folder / COPY).exists()
    assert not (project.folder / COPY).exists()


SETTLING: dict[str, Callable[[Project], object]] = {
    "the file is put back by hand": lambda project: project.file.write_bytes((project.folder / COPY).read_bytes()),
    "only a comment differs": lambda project: project.file.write_text(
        (project.folder / COPY).read_text().removeprefix("# Ours.\n")
    ),
    "the copy is removed": lambda project: (project.folder / COPY).unlink(),
}


@pytest.mark.parametrize("how", SETTLING)
def test_it_is_settled_and_leaves_nothing_once(project: Project, how: str) -> None:
    edited(project, "config: {eks-cutover:weights: {v1-35: 40, v1-36: 60}}\n")
    assert found(project)
    SETTLING[how](project)
    assert project.unconfirmed() is None
    assert not list(project.folder.glob(".*"))


@pytest.mark.parametrize("text", ["", "config: {\n"])
def test_a_file_of_which_only_a_part_was_written_is_told_with_the_way_back(project: Project, text: str) -> None:
    edited(project, text)
    left = project.unconfirmed()
    assert left
    assert left.found
    assert COPY in left.cure


def test_nothing_that_is_sealed_is_shown(project: Project) -> None:
    project.file.write_text("config: {eks-cutover:preview: {secret: {secure: v1:old}}, aws:tags: {a: {secure: v1:x}}}")
    edited(project, "config: {eks-cutover:preview: {secret: {secure: v1:new}}}")
    said = " ".join(found(project))
    assert "eks-cutover:preview" in said
    assert "v1:" not in said


def test_without_a_copy_nothing_is_edited(project: Project) -> None:
    before = project.file.read_bytes()
    (project.folder / f"{COPY}~").mkdir()
    with (
        pytest.raises(ProjectError, match=r"no copy of Pulumi\.dev\.yaml can be kept .* Nothing was changed"),
        project.tentative(print),
        project._editing(),  # pyright: ignore[reportPrivateUsage]
    ):
        project.file.write_text("config: {}\n")
    assert project.file.read_bytes() == before


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Engine]:
    """Give a stack at 99 to 1 whose file has 40 to 60, of a shift that was killed while it asked."""
    with running(tmp_path) as cloud, tagged(cloud, ROUTES, {"v1-35": 99, "v1-36": 1}) as stack:
        reach(cloud, monkeypatch)
        for cluster in ("v1-35", "v1-36"):
            stack.heal(cluster, 4)
        stand_in = Engine(tmp_path, stack)
        monkeypatch.setattr(Project, "find", lambda *_: stand_in)
        monkeypatch.setattr(Engine, "preview", lambda _: Run((), (), 0.0), raising=False)
        monkeypatch.setattr(support, "read", lambda *_: [])
        monkeypatch.setattr(results, "width", 1000)
        monkeypatch.setattr(moving, "PROPAGATION_SECONDS", 0)
        monkeypatch.setattr(rollback_plan, "LOOK_SECONDS", 30.0)  # what is asked here is answered, if late
        edited(stand_in, f"{HEAD}weights: {{v1-35: 40, v1-36: 60}}\n")
        yield stand_in


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("shift", "v1-36=10", "--yes"),
        ("shift", "v1-36=10", "--write-only"),
        ("promote", "v1-36", "--yes"),
        ("retire", "v1-35", "--confirm", "v1-35"),
    ],
)
def test_nothing_is_built_upon_it(engine: Engine, arguments: tuple[str, ...]) -> None:
    file, live = engine.file.read_bytes(), engine.tagged.weights()
    said = run(*arguments)
    assert said.exit_code == Code.REFUSED, said.output
    assert "  weights.v1-36: 1 -> 60\n" in said.stderr
    assert "Nothing was changed by this command: settle that, then run the same again" in said.stderr
    assert (engine.file.read_bytes(), engine.tagged.weights(), engine.asked) == (file, live, [])


def test_settled_it_stands_in_no_ones_way(engine: Engine) -> None:
    (engine.folder / COPY).replace(engine.file)
    assert run("shift", "v1-36=10", "--yes").exit_code == Code.DONE
    assert not (engine.folder / COPY).exists()


@pytest.mark.parametrize("arguments", [("guard",), ("release",), ("status",)])
def test_who_only_looks_tells_of_it_and_goes_on(engine: Engine, arguments: tuple[str, ...]) -> None:
    said = run(*arguments)
    assert said.exit_code == Code.DONE, said.output
    assert "weights.v1-36: 1 -> 60" in said.output
    assert COPY in said.output
    assert found(engine)


@pytest.mark.usefixtures("engine")
def test_a_status_advises_no_shift_that_brings_what_nobody_has_confirmed() -> None:
    said = run("status")
    assert "web: the file says v1-35 40, v1-36 60, AWS v1-35 99, v1-36 1" in said.stdout
    assert "cutover shift" not in said.stdout
    listed = ["weights.v1-35: 99 -> 40", "weights.v1-36: 1 -> 60"]
    assert json.loads(run("status", "--json").stdout)["unconfirmed"] == listed


def test_a_status_of_a_file_that_cannot_be_read_any_more_tells_what_has_spoiled_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "settings", Project.as_written)
    engine.file.write_text("config: {\n")
    said = run("status")
    assert said.exit_code == Code.USAGE
    assert COPY in said.stderr


def test_a_rollback_goes_back_and_writes_the_weights_of_aws_in_their_place(engine: Engine) -> None:
    said = run("rollback", "--yes")
    assert said.exit_code == Code.DONE, said.output
    assert "had weights of a command that was killed" in said.stderr
    assert engine.settings().weights == {"v1-35": 100, "v1-36": 0}
    assert engine.unconfirmed() is None


@pytest.fixture
def emptied(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Give the stack whose old cluster was being retired, by a command that was killed while its targets drained."""
    for route in ROUTES:
        engine.tagged.set_weights(route, {"v1-35": 0, "v1-36": 100})
    engine.tagged.heal("v1-35", 0)
    (engine.folder / COPY).write_text(f"{HEAD}clusters: {{v1-35: {{}}, v1-36: {{}}}}\n")
    engine.file.write_text(f"{HEAD}clusters: {{v1-36: {{}}}}\n")
    left = settings_of("dev", {"weights": {"v1-36": 100}}, drop=["clusters.v1-35"])
    monkeypatch.setattr(Engine, "settings", lambda _: left)
    return engine


def test_a_rollback_to_what_a_killed_retirement_has_emptied_says_so_and_how_to_mend_it(emptied: Engine) -> None:
    said = run("rollback", "--yes", "--to", "v1-35")
    assert said.exit_code == Code.UNFINISHED, said.output
    assert emptied.tagged.weights() == {route: {"v1-35": 100, "v1-36": 0} for route in ROUTES}
    assert "v1-35 has no healthy target in" in said.stderr
    assert "  clusters.v1-35: taken out\n" in said.stderr
    assert "To give v1-35 its targets again, in that cluster: kubectl rollout restart" in said.stderr
    assert "Traffic is safe" not in said.stderr
    assert found(emptied)


@pytest.mark.usefixtures("emptied")
def test_a_status_says_which_retirement_was_killed_and_that_it_has_left_no_target() -> None:
    said = run("status")
    assert said.exit_code == Code.DONE, said.output
    assert "v1-35 has no target at all in web, grpc-api: what a rollback sends there is lost" in said.stdout
    assert "Let it grow first" not in said.stdout
    assert "It was a retirement of v1-35" in said.stdout
    assert said.stdout.count("cutover retire v1-35 -s dev") == 1
    assert json.loads(run("status", "--json").stdout)["rollback"]["empty"] == list(ROUTES)
