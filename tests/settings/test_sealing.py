"""The secret of a login is sealed, or nothing is done; and nothing that is said of a stack file shows it."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from settings import SettingsError, read
from tests.conftest import PROJECT
from tests.settings.editing import edited, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SECRET = "a-client-secret"
PATH = f"{PROJECT}:routes.web.authenticate.oidc.clientSecret"
LOGIN = {
    "issuer": "https://login.example.com",
    "authorizationEndpoint": "https://login.example.com/authorize",
    "tokenEndpoint": "https://login.example.com/token",
    "userInfoEndpoint": "https://login.example.com/userinfo",
    "clientId": "shop",
    "clientSecret": SECRET,
}
SEALED = {"secure": "v1:x"}


def handed(config: dict[str, Any]) -> dict[str, str]:
    """Return a configuration as Pulumi hands it over."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


def refused(config: dict[str, Any], secret: Sequence[str], folder: Path | None = None) -> list[str]:
    """Return what is said, a line each, of which none may show the secret, whatever shows the error."""
    with pytest.raises(SettingsError) as caught:
        read(handed(config), PROJECT, "dev", secret, folder)
    assert SECRET not in "".join([*traceback.format_exception(caught.value), caught.value.found])
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def written(folder: Path, config: dict[str, Any]) -> Path:
    """Write a stack file."""
    (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\n")
    (folder / "Pulumi.dev.yaml").write_text(json.dumps({"config": config}))
    return folder


def test_a_secret_in_plain_text_is_refused_with_the_command_that_hides_it() -> None:
    assert refused(edited("dev", {"routes.web.authenticate.oidc": LOGIN}), []) == [
        f"{PATH}: it stands in the stack file in plain text. Whoever reads the file could log users in as this load "
        f"balancer does. Write it with `pulumi config set --secret --path '{PATH}'`. [CUT400]"
    ]


def test_a_secret_is_taken_when_pulumi_hands_it_over_as_one() -> None:
    config = handed(edited("dev", {"routes.web.authenticate.oidc": LOGIN}))
    login = read(config, PROJECT, "dev", [f"{PROJECT}:routes"]).routes["web"].authenticate
    assert login
    assert login.oidc
    assert login.oidc.client_secret
    assert login.oidc.client_secret.get_secret_value() == SECRET


def test_one_sealed_secret_excuses_no_other_that_is_not(tmp_path: Path) -> None:
    """Pulumi marks all of `routes` for one of them: the file alone tells which."""
    both = {"routes.web.authenticate.oidc": LOGIN, "routes.grpc-api.authenticate.oidc": LOGIN}
    as_written = edited("dev", {**both, "routes.web.authenticate.oidc": {**LOGIN, "clientSecret": SEALED}})
    [line] = refused(edited("dev", both), [f"{PROJECT}:routes"], written(tmp_path, as_written))
    assert line.startswith(f"{PROJECT}:routes.grpc-api.authenticate.oidc.clientSecret: it stands in the stack file")


def test_what_else_of_a_route_is_sealed_is_refused(tmp_path: Path) -> None:
    sealed = {**LOGIN, "clientId": SEALED, "clientSecret": SEALED}
    folder = written(tmp_path, edited("dev", {"routes.web.authenticate.oidc": sealed}))
    [line] = refused(edited("dev", {"routes.web.authenticate.oidc": LOGIN}), [f"{PROJECT}:routes"], folder)
    assert line.startswith(f"{PROJECT}:routes.web.authenticate.oidc.clientId: it is sealed, and only")


def test_a_file_is_read_where_nothing_can_open_its_secret() -> None:
    without = {key: value for key, value in LOGIN.items() if key != "clientSecret"}
    config = handed(edited("dev", {"routes.web.authenticate.oidc": without}))
    login = read(config, PROJECT, "dev", [PATH]).routes["web"].authenticate
    assert login
    assert login.oidc
    assert login.oidc.client_secret is None
    with pytest.raises(SettingsError, match="CUT401"):
        read(config, PROJECT, "dev")


def test_a_secret_is_not_shown_by_the_settings() -> None:
    settings = settings_of("dev", {"routes.web.authenticate.oidc": LOGIN})
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert SECRET not in shown


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("routes.web.authenticate.oidc.clientSecret", f"{SECRET} "),
        ("routes.web.authenticate.oidc.clientSecret", [SECRET]),
        ("routes.web.authenticate.oidc.clientSecrett", SECRET),
        ("routes.web.authenticate.oidc", SECRET),
        ("routes.web.authenticate", [{"oidc": LOGIN}]),
        ("routes", [{"authenticate": {"oidc": LOGIN}}]),
        ("routes.web", [{"clientSecret": SECRET}]),
    ],
)
def test_a_secret_is_not_shown_by_any_message(key: str, value: Any) -> None:
    assert refused(edited("dev", {key: value}), [f"{PROJECT}:routes"])
