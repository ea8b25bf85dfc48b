"""What the rehearsal's command line says of a stack file that it cannot play: before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from rehearsal.__main__ import PROGRAM, _checked, app  # pyright: ignore[reportPrivateUsage]

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("command", ["migrate", "shell"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read (No such file or directory). There are Pulumi.dev.yaml, Pulumi.prod.yaml here"),
        ("config:\n", "cannot be rehearsed: "),
        ("config: [1]\n", "config: is no map of keys and values"),
        ("config: {aws:region: eu-central-1}\n", "eks-cutover:clusters: missing"),
    ],
)
def test_a_file_that_cannot_be_played_is_refused_by_what_is_wrong_with_it(
    tmp_path: Path, command: str, text: str | None, says: str
) -> None:
    file = tmp_path / "Pulumi.staging.yaml"
    if text is not None:
        file.write_text(text)
    answer = CliRunner().invoke(app, [command, "--file", str(file)])
    assert answer.exit_code == 2
    assert says in answer.stderr
    assert "Pulumi.staging.yaml" in answer.stderr


@pytest.mark.parametrize("command", ["migrate", "shell"])
@pytest.mark.parametrize("scene", ["existing", "manifests"])
def test_a_scene_has_a_file_of_its_own(tmp_path: Path, command: str, scene: str) -> None:
    answer = CliRunner().invoke(app, [command, "--scene", scene, "--file", str(tmp_path / "Pulumi.mine.yaml")])
    assert answer.exit_code == 2
    assert f"SCENE={scene} has a stack file of its own" in " ".join(answer.stderr.split())


def test_a_login_whose_secret_the_file_has_not_yet_can_be_played() -> None:
    file = PROGRAM / "examples" / "Pulumi.shop.yaml"
    assert "clientSecret:" not in file.read_text()
    assert _checked("shop", file).routes["admin"].authenticate
