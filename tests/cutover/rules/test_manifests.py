"""The bindings that GitOps applies: which fields a controller of which version is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cutover.commands.app import app
from cutover.commands.opened import Opened
from cutover.commands.terminal import Code
from cutover.rules.manifests import bindings, unknown
from settings.bindings import level
from tests.conftest import ROOT
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from settings import Settings

ROLE = {"iamRoleArnToAssume": "arn:aws:iam::123456789012:role/targets", "assumeRoleExternalId": "prod"}


def _settings(**blue: Any) -> Settings:
    cluster = {"existing": {"name": "prod-blue"}, "bindings": {"applyBy": "gitops"}, **blue}
    return settings_of("dev", {"clusters.blue": cluster, "weights.blue": 0})


def _spec(settings: Settings, version: str) -> dict[str, Any]:
    arns = dict.fromkeys(settings.routes, "arn:of:a:group")
    (web,) = [
        one
        for one in bindings(settings, "blue", level(version), {"public": "vpc-1"}, arns)
        if one["metadata"]["name"] == "web"
    ]
    return web["spec"]


@pytest.mark.parametrize(
    ("version", "sent", "not_sent"),
    [
        ("2.3", {"targetGroupARN", "targetType"}, {"targetGroupName", "vpcID", "ipAddressType", *ROLE}),
        ("2.11", {"targetGroupName", "vpcID", "ipAddressType"}, {"targetGroupARN", "targetGroupProtocol", *ROLE}),
        ("2.12", {"targetGroupName", *ROLE}, {"targetGroupProtocol"}),
        ("3.5", {"targetGroupName", "targetGroupProtocol", *ROLE}, {"targetGroupARN"}),
    ],
)
def test_a_controller_is_sent_the_fields_that_its_version_knows(
    version: str, sent: set[str], not_sent: set[str]
) -> None:
    spec = _spec(_settings(loadBalancerController=ROLE), version)
    assert sent <= spec.keys()
    assert not not_sent & spec.keys()


def test_a_level_that_is_asked_for_stands_in_place_of_the_files() -> None:
    older = _settings(loadBalancerController={"crdLevel": "2.13"})
    assert "targetGroupProtocol" not in _spec(older, "2.13")
    assert "targetGroupProtocol" in _spec(older, "3.5")


def test_a_cluster_of_the_same_account_is_sent_no_role() -> None:
    assert not ROLE.keys() & _spec(_settings(), "3.5").keys()
    assert unknown(_settings(), "blue", level("2.4")) == []


def test_a_controller_that_knows_no_role_is_refused_where_it_could_register_nothing_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = _settings(loadBalancerController=ROLE)
    assert unknown(settings, "blue", level("2.11")) == list(ROLE)
    monkeypatch.setattr(Opened, "settings", settings)
    asked = ["manifests", "blue", "-C", str(ROOT), "-s", "dev", "--crd-level", "2.11", "--json"]
    said = CliRunner().invoke(app, asked)
    assert said.exit_code == Code.REFUSED
    assert "a controller of 2.11 knows no iamRoleArnToAssume" in json.loads(said.stdout)["failure"]
