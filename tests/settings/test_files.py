"""The files are read as the engine reads them: what it made of each text was recorded, and stands in a table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from settings import SettingsError, dialect, files, read
from settings.reading import value
from tests.conftest import PROJECT, ROOT

RECORDED: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "read_by_the_engine.jsonl").read_text().splitlines()
]


def config_of(folder: Path, text: bytes) -> dict[str, Any]:
    (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\n")
    (folder / "Pulumi.dev.yaml").write_bytes(text)
    return files.config(folder, PROJECT, "dev")


@pytest.mark.parametrize("row", RECORDED, ids=[row["text"] for row in RECORDED])
def test_a_text_says_what_the_engine_says_that_it_does(tmp_path: Path, row: dict[str, Any]) -> None:
    text = row["text"].encode()
    if row["config"] is None:
        with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
            files.handed(config_of(tmp_path, text))
        return
    config = config_of(tmp_path, text)
    hidden = {key for key, one in config.items() if files.sealed({key: one})}
    said = {key: value(one) for key, one in files.handed(config).items() if key not in hidden}
    assert said == {key: value(one) for key, one in row["config"].items()}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("config:\n  a:b: 1\n".encode("utf-16"), {"a:b": 1}),
        (b"\xef\xbb\xbfconfig:\r\n  a:b: x\r\n", {"a:b": "x"}),
    ],
)
def test_what_an_editor_of_another_system_writes_is_read(tmp_path: Path, text: bytes, says: dict[str, Any]) -> None:
    assert config_of(tmp_path, text) == says


@pytest.mark.parametrize(
    "text",
    [
        "config:\n  a:b: あ\n".encode("shift-jis"),
        b"config: " + b"[" * 5000,
        b"a: &a ["
        + b"x," * 99
        + b"]\n"
        + b"".join(b"%c: &%c [" % (c, c) + b"*%c," % (c - 1) * 99 + b"]\n" for c in b"bcde"),
        b"config:\n  weights: 1\n  eks-cutover:weights: 2\n",
    ],
    ids=["shift-jis", "a deep nest", "aliases of aliases", "a key with and without its namespace"],
)
def test_what_cannot_be_read_is_an_error_and_no_guess(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(dialect.DialectError):
        config_of(tmp_path, text)


def test_a_number_that_json_does_not_have_is_named_by_its_key(tmp_path: Path) -> None:
    config = config_of(tmp_path, b"config:\n  gate: {headroom: .inf}\n")
    with pytest.raises(dialect.DialectError, match=f"^{PROJECT}:gate has a number that is none"):
        files.handed(config)


@pytest.mark.parametrize(
    ("project", "says", "file"),
    [
        ("Pulumi.yaml", "name: x\n", "Pulumi.dev.yaml"),
        ("Pulumi.yaml", "name: x\nstackConfigDir: stacks\n", "stacks/Pulumi.dev.yaml"),
        ("Pulumi.yaml", "name: x\nstackConfigDir: ../all/stacks/\n", "../all/stacks/Pulumi.dev.yaml"),
        ("Pulumi.yaml", "name: x\nstackConfigDir: /stacks\n", "stacks/Pulumi.dev.yaml"),
        ("Pulumi.yaml", "name: x\nconfig: stacks\n", "stacks/Pulumi.dev.yaml"),
        ("Pulumi.yaml", "name: x\nconfig: {aws:region: us-east-1}\n", "Pulumi.dev.yaml"),
        ("Pulumi.yaml", "name: [\n", "Pulumi.dev.yaml"),
        (
            "Pulumi.yaml",
            "name: x\nstackConfigDir: stacks\n<<<<<<< a\ndescription: 1\n=======\ndescription: 2\n>>>>>>> b\n",
            "stacks/Pulumi.dev.yaml",
        ),
        ("Pulumi.yml", "name: x\nstackConfigDir: stacks\n", "stacks/Pulumi.dev.yml"),
        ("Pulumi.json", '{"name": "x", "stackConfigDir": "stacks"}', "stacks/Pulumi.dev.json"),
    ],
)
def test_the_stack_file_is_where_the_engine_looks_for_it(tmp_path: Path, project: str, says: str, file: str) -> None:
    (tmp_path / project).write_text(says)
    assert files.stack_file(tmp_path, "dev").resolve() == (tmp_path / file).resolve()


def test_what_a_stack_does_not_say_the_project_file_may(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(
        f"name: {PROJECT}\nconfig:\n  aws:region: us-east-1\n  aws:profile: {{value: team}}\n"
        "  weights: {type: object, default: {v1-35: 1}}\n  routes: {type: object}\n"
    )
    assert files.config(tmp_path, PROJECT, "dev") == {
        "aws:region": "us-east-1",
        "aws:profile": "team",
        "eks-cutover:weights": {"v1-35": 1},
    }
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  aws:region: eu-west-1\n  weights: {v1-36: 1}\n")
    assert files.config(tmp_path, PROJECT, "dev") == {
        "aws:region": "eu-west-1",
        "aws:profile": "team",
        "eks-cutover:weights": {"v1-36": 1},
    }


SEALED = {
    "aws:profile": {"secure": "v1:x"},
    "aws:assumeRoles": [{"roleArn": "arn", "externalId": {"secure": "v1:x"}}, {"secure": "v1:x"}],
    f"{PROJECT}:preview": {"secret": {"secure": "v1:x"}, "header": "X-Of-Mine"},
    f"{PROJECT}:routes": {"web": {"secure": {"a": 1}}},
}


def test_what_is_sealed_is_left_out_and_named() -> None:
    assert files.sealed(SEALED) == [
        "aws:profile",
        "aws:assumeRoles[0].externalId",
        "aws:assumeRoles[1]",
        f"{PROJECT}:preview.secret",
    ]
    said = files.handed(SEALED)
    assert "v1:x" not in str(said)
    assert "aws:profile" not in said
    assert json.loads(said["aws:assumeRoles"]) == [{"roleArn": "arn"}]
    assert json.loads(said[f"{PROJECT}:routes"]) == SEALED[f"{PROJECT}:routes"]


_VALUE = "hunter2 Sentinel"


@pytest.mark.parametrize(
    ("path", "opened"),
    [
        ("aws:profile", _VALUE),
        ("aws:region", _VALUE),
        ("aws:assumeRoles[0].externalId", [{"roleArn": 5, "externalId": _VALUE}]),
        (f"{PROJECT}:preview.header", {"header": _VALUE}),
        (f"{PROJECT}:preview.sourceCidrs[1]", {"sourceCidrs": ["10.0.0.0/8", _VALUE]}),
        (f"{PROJECT}:preview", {"header": _VALUE, "secret": "a-secret-of-16-letters"}),
        (f"{PROJECT}:weights", {_VALUE: 1}),
        (f"{PROJECT}:wieghts.v1-35", {"v1-35": _VALUE}),
    ],
)
@pytest.mark.parametrize("by_pulumi", [True, False])
def test_what_is_secret_where_nothing_may_be_is_refused_by_its_key_and_never_shown(
    tmp_path: Path, path: str, opened: Any, by_pulumi: bool
) -> None:
    """Pulumi marks a whole key at the top, and the file tells what in it was sealed."""
    key = path.partition(".")[0].partition("[")[0]
    seal = {"secure": "v1:x"}
    whole = seal if path == key else json.loads(json.dumps(opened).replace(f'"{_VALUE}"', json.dumps(seal)))
    (tmp_path / "Pulumi.yaml").write_text(f"name: {PROJECT}\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(json.dumps({"config": {key: whole}}))
    config = read_of("dev") | {key: opened if isinstance(opened, str) else json.dumps(opened)}
    with pytest.raises(SettingsError) as caught:
        read(config, PROJECT, "dev", [key if by_pulumi else path], tmp_path)
    assert f"  {path}: it is sealed" in str(caught.value)
    assert f"pulumi config set --plaintext --path '{path}'" in str(caught.value)
    assert _VALUE not in f"{caught.value} {caught.value.found}"


def read_of(stack: str) -> dict[str, str]:
    """Return a stack file that ships as the engine hands it over."""
    return files.handed(files.config(ROOT, PROJECT, stack))


def test_a_preview_that_is_sealed_for_its_secret_alone_is_taken(tmp_path: Path) -> None:
    secret = "a-secret-of-16-letters"
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    preview = {f"{PROJECT}:preview": json.dumps({"secret": secret})}
    settings = read({**read_of("dev"), **preview}, PROJECT, "dev", [f"{PROJECT}:preview"], tmp_path)
    assert settings.preview.secret
    assert settings.preview.secret.get_secret_value() == secret


def test_a_mistake_names_the_file_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(f"name: {PROJECT}\nstackConfigDir: stacks\n")
    with pytest.raises(SettingsError) as caught:
        read(read_of("dev") | {"aws:region": "tokyo"}, PROJECT, "dev", folder=tmp_path)
    assert str(caught.value).startswith("1 mistake in stacks/Pulumi.dev.yaml; nothing has been changed.\n")
    assert caught.value.found.startswith("1 mistake in stacks/Pulumi.dev.yaml:\n  aws:region: ")
