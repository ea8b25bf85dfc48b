"""What the stack file takes for granted and AWS does not have is told by its key, before the first resource."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pulumi
import pytest
from botocore.exceptions import ClientError

from cutover.aws import given_roles, ground, log_buckets, log_groups
from cutover.aws.ground import is_principal, read
from cutover.engine import ground as engine_ground
from cutover.rules.given_roles import GivenRole
from cutover.rules.ground import Ground, mistakes, warnings
from cutover.rules.log_buckets import LogBucket
from cutover.rules.places import Place
from settings import SettingsError
from settings.priorities import EVERY_PLACE
from tests.conftest import record_program, stack_config
from tests.cutover.tagged import STACK, reach, tagged
from tests.rehearsal.emulated import REGION, running
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from tests.rehearsal.emulated import Cloud

ME = "arn:aws:iam::123456789012:role/ci/deploy"
ADDONS = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent", "coredns", "metrics-server")
ZONE = "loadBalancers.private.zone"
DOMAIN = "example.com"
INTERNAL: dict[str, Any] = {
    ZONE: {"name": "example.com", "private": True},
    "loadBalancers.private.certificateArn": f"arn:aws:acm:{REGION}:123456789012:certificate/1",
}


def told(known: Ground, stack: str = "prod", changes: dict[str, Any] | None = None) -> list[str]:
    """Return the mistakes of a stack file, as far as their key and first words go."""
    found = mistakes(settings_of(stack, changes), known)
    return [f"{one.key}: {one.text.split('. ')[0]}" for one in found]


@pytest.mark.parametrize(
    ("kinds", "says"),
    [
        ([], "this account has no hosted zone example.com"),
        ([True], "the hosted zone example.com in this account is private"),
        ([False, False], "example.com is the name of 2 public hosted zones in this account"),
    ],
)
def test_a_hosted_zone_that_no_record_could_be_made_in_is_told_by_its_key(kinds: Sequence[bool], says: str) -> None:
    found = told(Ground(hosted=dict.fromkeys((("public", DOMAIN), ("private", DOMAIN)), kinds)))
    assert found == [f"loadBalancers.{key}.zone: {says}" for key in ("public", "private")]


def test_a_zone_that_is_there_once_or_was_not_asked_for_is_nothing_to_tell() -> None:
    assert told(Ground(hosted={("public", DOMAIN): [False], ("private", DOMAIN): [False]})) == told(Ground()) == []


def test_of_a_public_and_a_private_zone_an_internal_load_balancer_must_say_which() -> None:
    both = Ground(hosted={("public", DOMAIN): [False, True], ("private", DOMAIN): [False, True]})
    assert told(both) == [
        "loadBalancers.private.zone: this account has a public and a private hosted zone example.com, and the load "
        "balancer is internal"
    ]
    assert told(both, changes=INTERNAL) == []
    assert told(both, changes={ZONE: {"name": "example.com", "private": False}}) == []
    assert told(Ground(hosted={("private", DOMAIN): [False]}), changes=INTERNAL) == [
        "loadBalancers.private.zone: the hosted zone example.com in this account is public"
    ]


def test_each_of_several_zones_is_told_by_its_own_key() -> None:
    kinds = {("private", DOMAIN): [False], ("private", "example.org"): [True]}
    zones = {"loadBalancers.private.zones": ["example.org"]}
    assert told(Ground(hosted=kinds), changes=zones) == [
        "loadBalancers.private.zones[0]: the hosted zone example.org in this account is private"
    ]


def test_a_zone_that_the_account_does_not_have_or_eks_does_not_take_is_told() -> None:
    zones = {"ap-northeast-1a": "apne1-az4", "ap-northeast-1d": "use1-az3"}
    assert told(Ground(zones=zones)) == [
        "network.zones: this account has no zone ap-northeast-1c",
        "network.zones: ap-northeast-1d is use1-az3 in this account, where EKS has no control planes",
    ]


def test_a_new_zone_whose_ranges_older_subnets_hold_is_told_and_those_that_stand_are_not() -> None:
    by_place = {"ap-northeast-1a": ["10.40.0.0/19"], "ap-northeast-1c": ["10.40.32.0/19"], "ap-northeast-1d": []}
    assert told(Ground(subnets=by_place)) == []
    zones = [f"ap-northeast-1{letter}" for letter in "abcd"]
    assert told(Ground(subnets=by_place), changes={"network.zones": zones}) == [
        "network.zones: the ranges of ap-northeast-1b are those of ap-northeast-1c, whose subnets an older version of "
        "this program has cut otherwise"
    ]


def test_an_add_on_that_eks_does_not_have_for_a_new_cluster_is_told_with_some_that_it_has() -> None:
    known = Ground(addons={("v1-36", "coredns"): ["v1.14.0-eksbuild.1"], ("v1-36", "vpc-cni"): ["v1.21.1-eksbuild.1"]})
    [mistake] = mistakes(settings_of("prod"), known)
    assert mistake.key == "clusters.v1-36.addons"
    assert mistake.text == (
        "v1.13.1-eksbuild.1 is no version of coredns that EKS has for 1.36. It would refuse the add-on once the "
        "cluster is up. Write one of v1.14.0-eksbuild.1 (aws eks describe-addon-versions)"
    )


def test_a_range_of_services_that_is_left_out_later_is_told_since_the_cluster_keeps_it() -> None:
    [told] = warnings(settings_of("prod"), Ground(ranges={"v1-35": "10.96.0.0/16", "v1-36": "172.20.0.0/16"}))
    assert told.startswith("clusters.v1-35.serviceCidr is left out, and v1-35 keeps 10.96.0.0/16")
    written = settings_of("prod", {"clusters.v1-35.serviceCidr": "10.96.0.0/16"})
    assert warnings(written, Ground(ranges={"v1-35": "10.96.0.0/16"})) == []


class _Eks(boto3.Session):
    """An account whose EKS has the old cluster, and of each add-on one version for each version of Kubernetes."""

    def client(self, *_: object, **__: object) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        def describe(name: str) -> dict[str, Any]:
            if name != "prod-v1-35":
                raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "DescribeCluster")
            return {"cluster": {"name": name}}

        def pages(addonName: str, kubernetesVersion: str) -> list[Any]:  # noqa: N803
            return [{"addons": [{"addonVersions": [{"addonVersion": f"{addonName} for {kubernetesVersion}"}]}]}]

        return SimpleNamespace(
            describe_cluster=describe,
            get_paginator=lambda _: SimpleNamespace(paginate=pages),  # pyright: ignore[reportUnknownLambdaType]
        )


def test_add_ons_are_asked_for_of_clusters_that_do_not_stand_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground, "session", lambda _: _Eks())
    found = read(settings_of("prod")).addons
    assert found == {("v1-36", addon): [f"{addon} for 1.36"] for addon in ADDONS}


@pytest.mark.parametrize(
    ("caller", "same"),
    [
        ("arn:aws:sts::123456789012:assumed-role/deploy/session", True),
        (ME, True),
        ("arn:aws:sts::123456789012:assumed-role/sre/deploy", False),
        ("arn:aws:sts::210987654321:assumed-role/deploy/session", False),
        ("arn:aws:iam::123456789012:root", False),
        ("arn:aws:iam::123456789012:user/ci/deploy", False),
    ],
)
def test_a_caller_is_known_as_a_principal_by_its_role(caller: str, same: bool) -> None:
    assert is_principal(caller, ME) == same


def test_an_access_entry_that_eks_has_already_is_told() -> None:
    entries = {"clusters.v1-36.accessEntries": {"ci": {"principalArn": ME}}}
    assert told(Ground(entries=[("v1-36", "ci")]), changes=entries) == [
        f"clusters.v1-36.accessEntries.ci: {ME} has an entry that this stack has not made, as who made the cluster has"
    ]


def test_who_previews_and_has_an_entry_is_warned_and_not_refused_since_another_may_apply_it() -> None:
    settings = settings_of("dev", {"clusters.v1-36.accessEntries": {"ci": {"principalArn": ME}}})
    known = Ground(callers=[("v1-36", "ci")])
    assert mistakes(settings, known) == []
    (said,) = warnings(settings, known)
    assert said.startswith(f"clusters.v1-36.accessEntries.ci: you are {ME}. If you make v1-36,")


def standing(**priorities: int) -> Ground:
    """Return the ground on which the dev stack's routes stand with these priorities."""
    places: dict[tuple[str, int], Place] = {}
    for name, priority in priorities.items():
        route = name.replace("_", "-")
        places["public", EVERY_PLACE.weighted(priority)] = Place(f"arn:{name}", route)
        for key in ("v1-35", "v1-36"):
            places["public", EVERY_PLACE.preview(priority, key)] = Place(f"arn:{name}-{key}", route, key)
    return Ground(places=places)


def test_routes_that_swap_their_places_are_told_priorities_of_the_same_order_that_are_free() -> None:
    now, swapped = standing(web=1, grpc_api=2), {"routes.web.priority": 2, "routes.grpc-api.priority": 1}
    assert told(now, "dev") == []
    texts = {one.key: one.text for one in mistakes(settings_of("dev", swapped), now)}
    assert texts == {
        f"routes.{name}.priority": f"{wanted} is the place of {other} until this update is through, and ELB has none "
        "for two rules (PriorityInUse). The update would stop halfway. Only the order counts: write "
        f"{free}"
        for name, wanted, other, free in (("web", 2, "grpc-api", 3), ("grpc-api", 1, "web", 2))
    }
    assert told(now, "dev", {"routes.web.priority": 3}) == []


def test_a_place_of_a_route_that_becomes_an_answer_is_told_and_an_answer_that_stands_is_none() -> None:
    at, page = ("public", EVERY_PLACE.weighted(1)), {"priority": 1, "paths": ["/*"], "fixedResponse": {"code": "503"}}
    changes: dict[str, Any] = {"routes": {"web": page}}
    assert told(Ground(places={at: Place("arn:web", "web", answer=True)}), "dev", changes) == []
    found = told(Ground(places={at: Place("arn:web", "web")}), "dev", changes)
    assert found == [
        "routes.web: its place is that of the weighted rule of web, of another kind, until this update is through, and "
        "ELB has none for two rules (PriorityInUse)"
    ]


def test_a_place_that_a_foreign_rule_holds_is_told_with_its_arn() -> None:
    known = Ground(places={("public", EVERY_PLACE.preview(1, "v1-36")): Place("arn:page")})
    [mistake] = mistakes(settings_of("dev"), known)
    assert mistake.key == "routes.web.priority"
    assert mistake.text.startswith(
        "the rule arn:page, which this stack has not made, stands at place 25 of load balancer public, where the "
        "preview rule for v1-36 belongs. ELB would refuse it (PriorityInUse)."
    )


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Cloud]:
    with running(tmp_path) as one:
        reach(one, monkeypatch)
        yield one


def test_what_aws_has_is_read(cloud: Cloud) -> None:
    cloud.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
    with tagged(cloud, ["web"], {"v1-35": 90, "v1-36": 10}) as stack:
        found = read(settings_of(STACK))
    assert found.hosted == {("public", DOMAIN): [False]}
    assert found.zones[f"{REGION}a"] == "apne1-az4"
    assert [place for place in found.places.values() if place.route] == [Place(stack.rules["web"], "web")]


def test_a_silent_aws_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground, "session", lambda _: object())
    assert read(settings_of("dev")) == Ground()


@pytest.mark.parametrize("preview", [True, False])
def test_only_a_preview_is_ended_since_every_update_has_one(monkeypatch: pytest.MonkeyPatch, preview: bool) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
    monkeypatch.setattr(ground, "read", lambda _: Ground(hosted={("public", DOMAIN): []}))
    if not preview:
        engine_ground.check(settings_of("dev"))
        return
    with pytest.raises(SettingsError) as caught:
        engine_ground.check(settings_of("dev"))
    assert (
        str(caught.value)
        .splitlines()[1]
        .startswith("  eks-cutover:loadBalancers.public.zone: this account has no hosted zone example.com.")
    )


def test_the_program_asks_before_it_declares_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_: object) -> None:
        raise SettingsError("stopped")

    monkeypatch.setattr(engine_ground, "check", stop)
    with pytest.raises(SettingsError, match="stopped"):
        record_program(stack_config("dev"), preview=True)


LOGS = {"loadBalancers.public.accessLogs": {"bucket": "shop-logs"}}
DELIVERY = {"Effect": "Allow", "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}}


@pytest.mark.parametrize(
    ("bucket", "says"),
    [
        (None, "there is no bucket shop-logs, or it is not yours to read. ELB would refuse the logs"),
        (
            LogBucket("us-east-1", ""),
            "shop-logs lies in us-east-1, and ELB writes logs into a bucket of its own region",
        ),
        (LogBucket("ap-northeast-1", None), "the policy of shop-logs lets no log delivery of ELB write"),
        (LogBucket("ap-northeast-1", json.dumps({"Statement": {**DELIVERY, "Action": "s3:GetObject"}})), "lets no log"),
        (LogBucket("ap-northeast-1", json.dumps({"Statement": [{**DELIVERY, "Action": ["s3:Put*"]}]})), ""),
        (LogBucket("ap-northeast-1", ""), ""),
    ],
)
def test_a_bucket_that_elb_could_not_write_logs_into_is_told(bucket: LogBucket | None, says: str) -> None:
    found = mistakes(settings_of("prod", LOGS), Ground(buckets={"shop-logs": bucket}))
    assert [one.key for one in found] == (["loadBalancers.public.accessLogs.bucket"] if says else [])
    assert all(says in one.text for one in found)
    assert mistakes(settings_of("prod", LOGS), Ground()) == []


def test_a_bucket_for_logs_is_read_with_its_region_and_its_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {**LOGS, "loadBalancers.private.connectionLogs": {"bucket": "no-such-bucket-of-ours"}}
    with running(tmp_path) as cloud:
        reach(cloud, monkeypatch)
        s3, account = cloud.client("s3"), boto3.Session("somebody", "somebody", region_name=REGION)
        s3.create_bucket(Bucket="shop-logs", CreateBucketConfiguration={"LocationConstraint": REGION})
        bare = log_buckets.read(settings_of("prod", both), account)
        s3.put_bucket_policy(Bucket="shop-logs", Policy=json.dumps({"Statement": []}))
        found = log_buckets.read(settings_of("prod", both), account)
        europe = SimpleNamespace(
            get_bucket_location=lambda **_: {"LocationConstraint": "EU"},  # pyright: ignore[reportUnknownLambdaType]
            get_bucket_policy=lambda **_: {"Policy": "{}"},  # pyright: ignore[reportUnknownLambdaType]
        )
        monkeypatch.setattr(log_buckets, "client", lambda *_: europe)  # pyright: ignore[reportUnknownLambdaType]
        old = log_buckets.read(settings_of("prod", LOGS), account)
    assert old == {"shop-logs": LogBucket("eu-west-1", "{}")}
    assert bare == {"shop-logs": LogBucket(REGION, None), "no-such-bucket-of-ours": None}
    assert found["shop-logs"] == LogBucket(REGION, json.dumps({"Statement": []}))


NODES = f"{ME.rpartition(':')[0]}:role/org/nodes"
GIVEN = {"clusters.v1-36.nodeRoleArn": NODES}
TRUST = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.mark.parametrize(
    ("role", "says"),
    [
        (None, f"there is no role {NODES}. EKS would refuse it"),
        (GivenRole(NODES.replace("org/", ""), {"Statement": TRUST}), "whose path is another"),
        (GivenRole(NODES.replace("123456789012", "210987654321"), {"Statement": TRUST}), "in the account in which"),
        (GivenRole(NODES, {"Statement": [{**TRUST, "Principal": {"Service": ["eks.amazonaws.com"]}}]}), "does not tru"),
        (GivenRole(NODES, {"Statement": [{**TRUST, "Effect": "Deny"}, {**TRUST, "Principal": "*"}]}), "does not trust"),
        (GivenRole(NODES, {"Statement": [{**TRUST, "Principal": {"Service": "ec2.amazonaws.com.cn"}}]}), ""),
        (GivenRole(NODES, {"Statement": TRUST}), ""),
    ],
)
def test_a_role_that_is_given_and_could_not_be_taken_is_told(role: GivenRole | None, says: str) -> None:
    found = mistakes(settings_of("prod", GIVEN), Ground(roles={NODES: role}))
    assert [one.key for one in found] == (["clusters.v1-36.nodeRoleArn"] if says else [])
    assert all(says in one.text for one in found)
    assert mistakes(settings_of("prod", GIVEN), Ground()) == []


def test_roles_that_are_given_are_read_with_whom_they_trust(cloud: Cloud) -> None:
    iam, statement = cloud.client("iam"), {"Version": "2012-10-17", "Statement": [TRUST]}
    made = iam.create_role(RoleName="nodes", Path="/org/", AssumeRolePolicyDocument=json.dumps(statement))
    there = made["Role"]["Arn"]
    missing = there.replace("nodes", "missing")
    changes = {"clusters.v1-36.nodeRoleArn": there, "clusters.v1-36.clusterRoleArn": missing}
    found = given_roles.read(settings_of("prod", changes), boto3.Session("somebody", "somebody", region_name=REGION))
    assert found == {there: GivenRole(there, statement), missing: None}


KEPT = {"clusters.v1-35.logRetentionDays": 90, "clusters.v1-36.logRetentionDays": 90}


def test_a_log_group_that_eks_has_made_already_is_told() -> None:
    [mistake] = mistakes(settings_of("prod", KEPT), Ground(log_groups={"v1-35": False, "v1-36": True}))
    assert (mistake.code, mistake.key) == ("CUT339", "clusters.v1-35.logRetentionDays")
    assert "--log-group-name /aws/eks/prod-v1-35/cluster --retention-in-days 90" in mistake.text


def test_log_groups_are_read_with_whose_they_are(cloud: Cloud) -> None:
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/aws/eks/prod-v1-35/cluster")
    logs.create_log_group(logGroupName="/aws/eks/prod-v1-35/cluster-b")
    account = boto3.Session("somebody", "somebody", region_name=REGION)
    assert log_groups.read(settings_of("prod", KEPT), account) == {"v1-35": False}
    logs.create_log_group(logGroupName="/aws/eks/prod-v1-36/cluster", tags={"pulumi:stack": "prod"})
    assert log_groups.read(settings_of("prod", KEPT), account) == {"v1-35": False, "v1-36": True}
