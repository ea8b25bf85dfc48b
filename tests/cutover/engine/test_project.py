"""What the command line knows of a project before, and although, something is wrong with it."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import pytest

from cutover.engine.project import Project, inside, standing_in
from cutover.engine.stack_file import BusyError, EngineError, ProjectError
from cutover.rules.run import Step
from settings import SettingsError
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_what_stands_inside_a_cluster_is_as_protected_as_its_component_becomes() -> None:
    binding, mesh = "urn:binding", "urn:mesh"
    objects = [
        {"urn": "a", "type": "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding", "parent": binding},
        {"urn": "b", "type": "kubernetes:core/v1:Namespace", "parent": binding, "protect": True},
        {"urn": "c", "type": "aws:iam/role:Role", "parent": binding},
        {"urn": "d", "type": "kubernetes:core/v1:Namespace", "parent": mesh},
        {"urn": "e", "type": "pulumi:pulumi:Stack"},
    ]
    assert inside(objects, {binding: True}) == {True: ["a"]}
    assert inside(objects, {binding: False}) == {False: ["b"]}


def test_what_stands_in_a_cluster_is_told_by_the_provider_that_made_it() -> None:
    provider = "urn:pulumi:dev::eks-cutover::eks-cutover:cluster:Cluster$pulumi:providers:kubernetes"
    objects = [
        {"urn": "old", "type": "kubernetes:core/v1:Namespace", "provider": f"{provider}::v1-35::1"},
        {"urn": "namesake", "type": "kubernetes:core/v1:Namespace", "provider": f"{provider}::v1-35-b::2"},
        {
            "urn": "outside",
            "type": "aws:iam/role:Role",
            "provider": "urn:pulumi:dev::p::pulumi:providers:aws::v1-35::3",
        },
        {"urn": "provider", "type": "pulumi:providers:kubernetes"},
    ]
    assert standing_in(objects, ["v1-35"]) == ["old"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
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


ANSWERS = {
    "a page of a proxy": "<html><head><title>Login</title>\n<body>please <br> log in</html>",
    "a warning before it": "warning: using pulumi-language-python from $PATH\n{}",
    "half of it": '{"eks-cutover:weights": {"value": "{}", "secr',
    "nothing": "",
    "null": "null",
}
ASKS: dict[str, Callable[[Project], object]] = {
    "stack ls": lambda project: Project.find(project.folder),
    "config": Project.settings,
    "stack history": Project.history,
    "stack export": Project.resources,
    "whoami": Project.locked,
}


@pytest.fixture
def garbling(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a CLI on PATH that succeeds in everything, and answers with what the file ``answer`` has."""
    (folder / "pulumi").write_text(f'#!/bin/sh\n[ "$1" = version ] && exec echo v3.259.0\ncat {folder}/answer\n')
    (folder / "pulumi").chmod(0o755)
    (folder / "Pulumi.dev.yaml").write_text((ROOT / "Pulumi.dev.yaml").read_text())
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.mark.parametrize("what", ANSWERS)
def test_an_answer_of_the_engine_that_nobody_can_read_is_a_failure_in_a_line_that_names_what_was_asked(
    garbling: Path, what: str
) -> None:
    (garbling / "answer").write_text(ANSWERS[what])
    for asked, ask in ASKS.items():
        with pytest.raises(EngineError) as error:
            ask(Project(garbling, "dev"))
        assert re.fullmatch(rf"pulumi {asked}: what came in answer cannot be read \(\w+: .*\)", str(error.value))
    project = Project(garbling, "dev")
    for asked, run in (("preview", project.preview()), ("up", project.up()), ("refresh", project.refresh(["x"]))):
        assert re.fullmatch(rf"pulumi {asked}: what came in answer cannot be read \(\w+: .*\)", run.failure)
    step = Step("same", "x", "x", urn="urn:x")
    assert project.follow([step]).startswith("pulumi stack export: what came in answer cannot be read")


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


ROLES = "  aws:assumeRoles:\n"
PROD, STAGING = (f"    - roleArn: arn:aws:iam::{digit * 12}:role/deploy\n" for digit in "12")
OURS, THEIRS, END = "<<<<<<< HEAD\n", "=======\n", ">>>>>>> b\n"
HERE, THERE = "  aws:region: eu-west-1\n", "  aws:region: us-east-1\n"
IN_DOUBT = {
    "two regions": ("region", f"{OURS}{HERE}{THEIRS}{THERE}{END}"),
    "two regions and what they were": (
        "region",
        f"{OURS}{HERE}||||||| merged common ancestors\n  aws:region: x\n{THEIRS}{THERE}{END}",
    ),
    "a region on one side": ("region", f"{OURS}{HERE}{THEIRS}{END}"),
    "a region on the other side": ("region", f"{OURS}{THEIRS}{HERE}{END}"),
    "two regions in one text": ("region", f"{HERE}{THERE}"),
    "a region in a merge without an end": ("region", f"{OURS}{HERE}"),
    "the rest of a merge": ("region", f"{HERE}{THEIRS}"),
    "a sealed region": ("region", "  aws:region: {secure: v1:x}\n"),
    "a region of no such form": ("region", "  aws:region: [eu-west-1]\n"),
    "two roles": ("assumeRoles", f"{HERE}{OURS}{ROLES}{PROD}{THEIRS}{ROLES}{STAGING}{END}"),
    "two roles below one key": ("assumeRoles", f"{HERE}{ROLES}{OURS}{PROD}{THEIRS}{STAGING}{END}"),
    "two outer ids": (
        "assumeRoles",
        f"{HERE}{ROLES}{PROD}{OURS}      externalId: a\n{THEIRS}      externalId: b\n{END}",
    ),
    "a sealed outer id": ("assumeRoles", f"{HERE}{ROLES}{PROD}      externalId: {{secure: v1:x}}\n"),
    "roles of an environment": ("assumeRoles", f"{HERE}environment: [prod]\n"),
    "two profiles": ("profile", f"{HERE}{OURS}  aws:profile: a\n{THEIRS}  aws:profile: b\n{END}"),
    "a sealed profile": ("profile", f"{HERE}  aws:profile: {{secure: v1:x}}\n"),
    "a profile with a broken byte": ("profile", f"{HERE}  aws:profile: caf\xe9\n"),
    "accounts of a merge": (
        "allowedAccountIds",
        f"{HERE}  aws:allowedAccountIds:\n{OURS}    - '111111111111'\n{THEIRS}    - '222222222222'\n{END}",
    ),
}


@pytest.mark.parametrize("what", IN_DOUBT)
def test_what_is_in_doubt_is_left_out_and_the_environment_decides(
    folder: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    key, text = IN_DOUBT[what]
    project, told = Project(folder, "dev"), list[str]()
    project.file.write_text(f"config:\n{text}", encoding="latin-1")
    if key == "region":
        with pytest.raises(ProjectError, match=r"In Pulumi\.dev\.yaml aws:region .*\. Set AWS_REGION"):
            project.aws()
    monkeypatch.setenv("AWS_REGION", "ap-northeast-1")
    monkeypatch.setenv("AWS_PROFILE", "on-call")
    aws = project.aws(told.append)
    assert aws.region == ("ap-northeast-1" if key == "region" else "eu-west-1")
    assert (aws.profile, aws.assume_roles, aws.allowed_account_ids) == (None, (), ())
    (said,) = told
    assert said.startswith(f"In Pulumi.dev.yaml aws:{key} ")
    decides = {"region": "AWS_REGION is ap-northeast-1", "allowedAccountIds": "left out"}
    assert decides.get(key, "AWS_PROFILE is on-call") in said
    assert "v1:x" not in said


@pytest.mark.parametrize(
    "text",
    [
        f"{OURS}{HERE}  aws:profile: team\n{THEIRS}  aws:profile: team\n{HERE}{END}",
        f"{HERE}  aws:profile: team\n{OURS}  eks-cutover:mesh: 1\n{THEIRS}  eks-cutover:mesh: 2\n{END}",
        f"{HERE}{HERE}  aws:profile: team\n",
        f"{HERE}  aws:profile: team\n  eks-cutover:weights: {{\n",
        "  'aws:region': eu-west-1\r\n  aws:profile:\tteam\r\nenvironment: {values: {aws:region: x}}\n",
        f"{HERE}  aws:profile: team\nenvironment:\n  values:\n    pulumiConfig:\n      aws:region: x\n\tbroken\n",
    ],
)
def test_what_is_beyond_doubt_is_taken_although_the_rest_is_not(folder: Path, text: str) -> None:
    project, told = Project(folder, "dev"), list[str]()
    project.file.write_bytes(f"config:\n{text}".encode())
    aws = project.aws(told.append)
    assert (aws.region, aws.profile, told) == ("eu-west-1", "team", [])


def test_a_role_in_doubt_leaves_no_profile_that_was_to_assume_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(folder, "dev")
    project.file.write_text(f"config:\n  aws:profile: hub\n{IN_DOUBT['two roles'][1]}")
    monkeypatch.setenv("AWS_PROFILE", "on-call")
    assert project.aws().profile is None


def test_a_file_is_read_as_the_engine_does_or_not_at_all(folder: Path) -> None:
    text = (ROOT / "Pulumi.dev.yaml").read_text()
    project = Project(folder, "dev")
    project.file.write_text(f"{text}  aws:defaultTags: {{tags: {{created: 2026-11-24, on: yes, at: 1:30}}}}\n")
    tags = project.as_written().aws.default_tags
    assert tags
    assert tags.tags == {"created": "2026-11-24 00:00:00 +0000 UTC", "on": "yes", "at": "1:30"}
    project.file.write_text(f"{text}  aws:region: us-east-1\n")
    with pytest.raises(ProjectError, match="the key aws:region stands there twice"):
        project.as_written()


def test_a_sealed_value_is_no_value(folder: Path) -> None:
    text = (ROOT / "Pulumi.dev.yaml").read_text()
    project = Project(folder, "dev")
    project.file.write_text(f"{text}  eks-cutover:preview: {{secret: {{secure: v1:x}}}}\n")
    assert project.as_written().preview.secret is None
    project.file.write_text(f"{text}  aws:profile: {{secure: v1:x}}\n")
    with pytest.raises(SettingsError, match="aws:profile: it is sealed"):
        project.as_written()


@pytest.mark.parametrize(
    ("text", "says"),
    [(None, "does not exist"), (b"", "is empty"), (b"# a comment\n", "is empty"), (b"config:\n", "is empty")],
)
def test_a_file_that_says_nothing_is_told_as_that(folder: Path, text: bytes | None, says: str) -> None:
    project = Project(folder, "dev")
    (folder / "Pulumi.prod.yaml").touch()
    if text is not None:
        project.file.write_bytes(text)
    with pytest.raises(ProjectError, match=rf"Pulumi\.dev\.yaml {says}, .* There is Pulumi\.prod\.yaml\."):
        project.as_written()


def test_the_stack_file_has_the_folder_that_the_project_file_names(folder: Path) -> None:
    (folder / "Pulumi.yaml").write_text("name: eks-cutover\nruntime: python\nstackConfigDir: stacks\n")
    (folder / "stacks").mkdir()
    project = Project(folder, "dev")
    project.file.write_text((ROOT / "Pulumi.dev.yaml").read_text())
    assert (project.file.parent, project.file_name) == (folder / "stacks", "stacks/Pulumi.dev.yaml")
    assert project.as_written().stack == "dev"
    assert project.aws().region == "ap-northeast-1"
    told = list[str]()
    with project.tentative(told.append):
        project.file.write_text("somebody else\n")
    assert "git diff stacks/Pulumi.dev.yaml" in told[0]


def test_a_project_is_found_by_each_name_that_its_file_may_have(folder: Path) -> None:
    (folder / "Pulumi.yaml").rename(folder / "Pulumi.yml")
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    project = Project.find(below, "dev")
    assert (project.folder, project.file_name, project.name) == (folder, "Pulumi.dev.yml", "eks-cutover")


def test_a_project_that_two_sides_of_a_merge_name_differently_has_no_name(folder: Path) -> None:
    project = Project(folder, "dev")
    end = f"{OURS}description: one\n{THEIRS}description: two\n{END}"
    (folder / "Pulumi.yaml").write_text(f"name: eks-cutover\n{end}runtime: python\n")
    assert project.name == "eks-cutover"
    for both in (f"{OURS}name: a\n{THEIRS}name: b\n{END}", f"{OURS}name: a\n{THEIRS}{END}", "name: a\nname: b\n"):
        (folder / "Pulumi.yaml").write_text(f"{both}runtime: python\n")
        with pytest.raises(ProjectError, match="Nothing tells whose stack is meant"):
            _ = project.name


@pytest.mark.parametrize(
    "stack", ["", " dev", "dev!", "a/b/c/d", "dev/", "/dev", "../dev", "d\xe9v", "a" * 101, "organization/other/dev"]
)
def test_what_names_no_stack_of_the_project_is_refused(folder: Path, stack: str) -> None:
    with pytest.raises(ProjectError, match="Nothing was done"):
        Project.find(folder, stack)


def test_a_folder_in_the_place_of_the_stack_file_leaves_the_region_to_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(folder, "dev")
    project.file.mkdir()
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert project.aws().region == "eu-west-1"
    with pytest.raises(ProjectError, match=r"Pulumi\.dev\.yaml cannot be read: .*directory"):
        project.as_written()


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
