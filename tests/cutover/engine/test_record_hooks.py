"""Records of others that stand where the stack would make its own: they end the preview, and not the update."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cutover.engine.record_hooks import RecordHooks, TakenError
from tests.cutover.tagged import reach
from tests.rehearsal.emulated import running
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.rehearsal.emulated import Cloud

NAME = "app.example.com"


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Cloud]:
    """Return an account with a hosted zone, and a load balancer."""
    with running(tmp_path) as made:
        reach(made, monkeypatch)
        made.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
        yield made


def _zone(cloud: Cloud) -> str:
    return cloud.client("route53").list_hosted_zones()["HostedZones"][0]["Id"]


def _put(cloud: Cloud, *sets: dict[str, Any]) -> None:
    timed = [one if "AliasTarget" in one else {"TTL": 60, **one} for one in sets]
    changes = [{"Action": "CREATE", "ResourceRecordSet": one} for one in timed]
    cloud.client("route53").change_resource_record_sets(HostedZoneId=_zone(cloud), ChangeBatch={"Changes": changes})


def _to_balancer(cloud: Cloud) -> dict[str, Any]:
    there = cloud.client("elbv2").describe_load_balancers()["LoadBalancers"][0]
    alias = {"HostedZoneId": "Z1", "DNSName": f"dualstack.{there['DNSName']}.", "EvaluateTargetHealth": False}
    return {"Name": NAME, "Type": "A", "AliasTarget": alias}


def _text(name: str, value: str) -> dict[str, Any]:
    return {"Name": name, "Type": "TXT", "ResourceRecords": [{"Value": f'"{value}"'}]}


def _create(zone: Any, name: str = NAME, kind: str = "A") -> None:
    args: Any = SimpleNamespace(new_inputs={"zoneId": zone, "name": name, "type": kind})
    settings = settings_of("dev", {"loadBalancers.public.names": ["app.example.com", "*.example.com"]})
    asyncio.run(RecordHooks(settings).before_create(args))


def _refused(cloud: Cloud, name: str = NAME) -> str:
    with pytest.raises(TakenError) as refused:
        _create(_zone(cloud), name)
    return str(refused.value)


def test_a_name_that_is_free_is_made_and_so_is_what_nobody_can_look_up(cloud: Cloud) -> None:
    _put(cloud, _text(NAME, "v=spf1 -all"), {**_to_balancer(cloud), "Name": "appx.example.com"})
    _create(_zone(cloud))
    _create("Z-GONE")
    _create(None)


def test_the_second_address_of_a_name_stands_beside_the_first_and_not_beside_another_second(cloud: Cloud) -> None:
    _put(cloud, _to_balancer(cloud))
    _create(_zone(cloud), kind="AAAA")
    _put(cloud, {**_to_balancer(cloud), "Type": "AAAA"})
    with pytest.raises(TakenError, match=r"has a record already .AAAA to "):
        _create(_zone(cloud), kind="AAAA")


def test_a_record_of_another_stack_is_told_with_whose_it_is(cloud: Cloud) -> None:
    tags = {"eks-cutover:project": "eks-cutover", "eks-cutover:stack": "old"}
    named = [{"Key": key, "Value": value} for key, value in tags.items()]
    cloud.client("elbv2").add_tags(ResourceArns=[cloud.balancer], Tags=named)
    _put(cloud, _to_balancer(cloud))
    told = _refused(cloud)
    assert told.startswith(f"{NAME} has a record already (A to ")
    assert "(the stack eks-cutover/old)" in told


@pytest.mark.parametrize("mark", [NAME, f"a-{NAME}", f"cname-{NAME}"])
def test_a_record_that_external_dns_keeps_is_told_with_its_owner(cloud: Cloud, mark: str) -> None:
    _put(cloud, _to_balancer(cloud), _text(mark, "heritage=external-dns,external-dns/owner=blue"))
    told = _refused(cloud)
    assert "external-dns (blue) keeps it" in told
    assert "dns: {managedBy: external}" in told


def test_a_cname_made_by_hand_is_told_by_where_it_leads(cloud: Cloud) -> None:
    _put(cloud, {"Name": "*.example.com", "Type": "CNAME", "ResourceRecords": [{"Value": "other.example.net"}]})
    told = _refused(cloud, "*.example.com")
    assert "*.example.com has a record already (CNAME to other.example.net)" in told
    assert "have its maker lead it there" in told
