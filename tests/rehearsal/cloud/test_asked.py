"""Which action of IAM a call is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rehearsal.cloud.asked import ASKED, Asked
from rehearsal.cloud.store import Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("call", "action"),
    [
        (("elbv2", "ModifyRule", "POST", "/"), "elasticloadbalancing:ModifyRule"),
        (("ssm", "GetParameter", "POST", "/"), "ssm:GetParameter"),
        (("eks", "", "GET", "/clusters"), "eks:ListClusters"),
        (("eks", "", "GET", "/clusters/dev-v1-36"), "eks:DescribeCluster"),
        (("eks", "", "DELETE", "/clusters/dev-v1-36/addons/coredns"), "eks:DeleteAddon"),
        (("eks", "", "POST", "/clusters/dev-v1-36/insights-refresh"), "eks:StartInsightsRefresh"),
        (("s3", "", "GET", "/shop-logs", "location"), "s3:GetBucketLocation"),
        (("s3", "", "GET", "/shop-logs", "policy="), "s3:GetBucketPolicy"),
        (("route53", "", "POST", "/2013-04-01/hostedzone/Z1/rrset/"), "route53:ChangeResourceRecordSets"),
    ],
)
def test_a_call_is_written_down_as_a_policy_names_it(tmp_path: Path, call: tuple[str, ...], action: str) -> None:
    store = Store(tmp_path / "store.sqlite")
    Asked(store).note(*call)
    assert list(store.all(ASKED)) == [action]
