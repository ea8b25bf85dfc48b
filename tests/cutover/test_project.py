"""What the command line knows of a project before, and although, something is wrong with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from cutover.project import BusyError, Project, ProjectError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Pulumi.yaml").write_text("name: eks-cutover\nruntime: python\n")
    return tmp_path


def test_a_stack_that_is_named_with_its_organization_has_the_file_of_its_last_part(folder: Path) -> None:
    project = Project.find(folder, "org/prod")
    assert (project.stack, project.named, project.file.name) == ("prod", "org/prod", "Pulumi.prod.yaml")


def test_without_the_engine_nothing_tells_the_selected_stack(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ProjectError, match="no pulumi on PATH"):
        Project.find(folder)
    assert Project.find(folder, "dev").stack == "dev"


@pytest.mark.parametrize("pulumi", ["no program", "#!/bin/sh\necho v2.9.0", "#!/bin/sh\nexit 1"])
def test_a_pulumi_that_is_broken_or_too_old_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch, pulumi: str) -> None:
    (folder / "pulumi").write_text(pulumi)
    (folder / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    for ask in (Project(folder, "dev").history, lambda: Project.find(folder)):
        with pytest.raises(ProjectError, match=r"the pulumi on PATH is of no use: .*\. Install the Pulumi CLI anew"):
            ask()


def test_a_project_file_that_is_no_text_is_said(folder: Path) -> None:
    (folder / "Pulumi.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(ProjectError, match="cannot be read"):
        _ = Project(folder, "dev").name


BROKEN = {
    "a merge": "<<<<<<< HEAD\n  eks-cutover:weights: {v1-35: 1\n",
    "a latin-1 byte": "  # caf\xe9\n",
    "a key that nobody reads": "  aws:unheardOf: 1\n",
    "a key that is half written": "  aws:profile: {\n",
    "a key of another kind": "  1: 2026-11-24\n",
}


@pytest.mark.parametrize("what", BROKEN)
def test_region_account_and_role_are_picked_out_of_a_file_that_is_broken_by(folder: Path, what: str) -> None:
    project = Project(folder, "dev")
    text = (
        "config:\n"
        "  aws:region: eu-west-1\n"
        "  aws:assumeRoles:\n"
        "    - roleArn: arn:aws:iam::123456789012:role/deploy\n"
        "      externalId: us\n"
        f"  'aws:allowedAccountIds': [\"123456789012\"]\n{BROKEN[what]}"
    )
    project.file.write_text(text, encoding="latin-1")
    aws = project.aws()
    assert (aws.region, aws.allowed_account_ids) == ("eu-west-1", ("123456789012",))
    roles = [(role.role_arn, role.external_id) for role in aws.assume_roles]
    assert roles == [("arn:aws:iam::123456789012:role/deploy", "us")]


def test_without_any_region_it_says_where_to_name_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProjectError, match="Set AWS_REGION"):
        Project(folder, "dev").aws()
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert Project(folder, "dev").aws().region == "eu-west-1"


def test_only_one_command_at_a_time_edits_the_files_of_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, another = Project(folder, "dev"), Project(folder, "prod")
    first = one.alone()
    first.__enter__()
    with pytest.raises(BusyError, match="cutover status -s prod"), another.alone():
        pass
    monkeypatch.setattr(time, "sleep", lambda _: first.__exit__(None, None, None))
    with another.alone(patience=60.0):
        pass


def test_an_edit_that_is_not_kept_is_taken_back_unless_somebody_else_has_edited_too(folder: Path) -> None:
    class Edited(Project):
        def write(self, key: str, value: str) -> None:
            with self._editing():
                self.file.write_text(f"{key}: {value}\n")

    project, told = Edited(folder, "dev"), list[str]()
    project.file.write_text("as it was\n")
    with project.tentative(told.append):
        project.write("weights.v1-35", "0")
    assert project.file.read_text() == "as it was\n"
    with project.tentative(told.append) as keep:
        project.write("weights.v1-35", "0")
        keep()
    assert (project.file.read_text(), told) == ("weights.v1-35: 0\n", [])
    with project.tentative(told.append):
        project.write("weights.v1-35", "10")
        project.file.write_text("a rollback was here\n")
    assert project.file.read_text() == "a rollback was here\n"
    assert ["git diff Pulumi.dev.yaml" in said for said in told] == [True]
