"""Every stack file under examples/ is one that the program takes, and it touches nothing of what others made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from settings import SettingsError, parse
from settings.network import NewNetwork
from tests.conftest import PROJECT, ROOT, record_program

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = sorted((ROOT / "examples").glob("Pulumi.*.yaml"))


def _config(file: Path, **more: str) -> dict[str, Any]:
    """Return an example's configuration, with ``more`` in every login by an identity provider."""
    config = yaml.safe_load(file.read_text())["config"]
    for route in config["eks-cutover:routes"].values():
        if "oidc" in route.get("authenticate", {}):
            route["authenticate"]["oidc"] |= more
    return config


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_declares_nothing_in_the_place_of_what_exists(file: Path) -> None:
    settings = parse(_config(file, clientSecret="of-its-user"), PROJECT, "prod")
    recorder = record_program(_config(file, clientSecret="of-its-user"))
    types = {one.type for one in recorder.recorded}
    of_balancers = {"aws:lb/loadBalancer:LoadBalancer", "aws:lb/listener:Listener"}
    assert types & of_balancers == (of_balancers if settings.own_load_balancers else set())
    records = [one for balancer in settings.own_load_balancers.values() for one in balancer.records]
    assert ("aws:route53/record:Record" in types) == bool(records)
    assert ("aws:ec2/vpc:Vpc" in types) == isinstance(settings.network, NewNetwork)
    assert settings.warnings == ()
    assert ("eks:index:Cluster" in types) == bool(settings.own_clusters)
    live = [name for name in recorder.of("ListenerRule") if name.endswith("-weighted")]
    assert bool(live) == bool(settings.own_load_balancers), "where others' rules answer, every route is quiet"
    assert not recorder.doubled()


def test_there_is_an_example_for_each_start_and_the_page_names_it() -> None:
    page = (ROOT / "docs" / "adoption.md").read_text()
    assert EXAMPLES
    for file in EXAMPLES:
        assert f"examples/{file.name}" in page


def test_an_example_with_a_login_lacks_its_secret_alone_which_is_told_with_the_command_that_writes_it() -> None:
    with pytest.raises(SettingsError) as caught:
        parse(_config(ROOT / "examples" / "Pulumi.shop.yaml"), PROJECT, "prod")
    (line,) = str(caught.value).splitlines()[1:]
    path = "eks-cutover:routes.admin.authenticate.oidc.clientSecret"
    assert line.startswith(f"  {path}: missing")
    assert f"pulumi config set --secret --path '{path}'" in line
