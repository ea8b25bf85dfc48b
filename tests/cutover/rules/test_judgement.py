"""The judgement of plans, on plans that the real engine made: what each is for, and what it may not contain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cutover.rules.judgement import Kind, Rule, Violation, cluster_of, kind, moved, route_of, violations, weights
from cutover.rules.run import Run, Step
from settings.imports import LISTENER_RULE, TARGET_GROUP
from tests.cutover import plans

OLD, NEW = {"v1-35"}, {"v1-36"}
BOTH = OLD | NEW
LIVE = ("web", "grpc-api", "orders")

Expected = dict[Rule, int | tuple[str, ...]]
SERVING, LIVE_RULE, SHARED, PROTECT, KNOWN, ALONE, APART = Rule

# A plan; the clusters that serve when it is made; what it is for; by rule, the steps that break it, or how many.
TABLE: list[tuple[str, set[str], Kind, Expected]] = [
    ("nothing", BOTH, Kind.NOTHING, {}),
    # Weights.
    ("shift", BOTH, Kind.SHIFT, {}),
    ("shift-one-route", BOTH, Kind.SHIFT, {}),
    ("shift-all", BOTH, Kind.SHIFT, {}),
    ("shift-back", NEW, Kind.SHIFT, {}),
    ("prod-shift", OLD, Kind.SHIFT, {}),
    ("shift-refused", NEW, Kind.SHIFT, {}),
    ("shift-and-addon", BOTH, Kind.MIXED, {ALONE: ("update v1-36-coredns",)}),
    (
        "shift-and-listener",
        BOTH,
        Kind.MIXED,
        {
            SHARED: (
                "replace public-certificate",
                "replace public-certificate",
                "replace public-validation-app.example.com",
                "replace public-validation-grpc.example.com",
                "update public-443",
            ),
            ALONE: 1,
        },
    ),
    ("unknown-diff", BOTH, Kind.MIXED, {KNOWN: ("update grpc-api-weighted", "update web-weighted")}),
    ("coarse-diff", BOTH, Kind.MIXED, {LIVE_RULE: ("update grpc-api-weighted", "update web-weighted")}),
    # Clusters.
    ("cluster-at-0", BOTH, Kind.BUILD, {}),
    ("cluster-at-10", BOTH, Kind.MIXED, {ALONE: 1}),
    ("addon", BOTH, Kind.BUILD, {}),
    ("controller", BOTH, Kind.BUILD, {}),
    ("prod-addon-of-idle", OLD, Kind.BUILD, {}),
    ("nodes-replaced", BOTH, Kind.MIXED, {SERVING: ("replace v1-35-nodes",)}),
    ("nodes-replaced", NEW, Kind.MIXED, {}),
    ("version-edited", BOTH, Kind.NOTHING, {}),
    ("attribute", BOTH, Kind.MIXED, {SERVING: ("replace v1-35-grpc-api", "replace v1-36-grpc-api")}),
    ("serving-cluster-removed", BOTH, Kind.MIXED, {SERVING: 14, ALONE: 1}),
    ("retire", NEW, Kind.RETIRE, {}),
    ("retire", BOTH, Kind.RETIRE, {SERVING: 33}),  # the state says 0, and AWS does not
    ("retire-and-build", NEW, Kind.MIXED, {APART: 1}),
    ("prod-retire", OLD, Kind.RETIRE, {}),
    ("prod-retire-protected", OLD, Kind.RETIRE, {}),
    ("prod-unprotect", OLD, Kind.BUILD, {}),
    ("prod-unprotect", BOTH, Kind.BUILD, {PROTECT: 22}),  # likewise
    ("protect-lifted", BOTH, Kind.PROTECTION, {PROTECT: 52}),
    ("protect-lifted", OLD, Kind.PROTECTION, {PROTECT: 26}),
    # Routes.
    ("route-added", BOTH, Kind.BUILD, {}),
    ("idle-route-added", BOTH, Kind.BUILD, {}),
    ("idle-route-removed", BOTH, Kind.RETIRE, {}),
    (
        "route-removed",
        BOTH,
        Kind.RETIRE,
        {SERVING: ("delete web-v1-35", "delete web-v1-36"), LIVE_RULE: ("delete web-weighted",)},
    ),
    ("route-not-live", BOTH, Kind.RETIRE, {LIVE_RULE: ("delete web-weighted",)}),
    (
        "rule-protect-lifted",
        BOTH,
        Kind.PROTECTION,
        {PROTECT: ("unprotect grpc-api-weighted", "unprotect web-weighted")},
    ),
    ("target-type", BOTH, Kind.MIXED, {SERVING: ("replace web-v1-35", "replace web-v1-36")}),
    ("target-type", NEW, Kind.MIXED, {SERVING: ("replace web-v1-36",)}),
    ("service-port", BOTH, Kind.BUILD, {}),
    ("health-check", BOTH, Kind.BUILD, {}),
    ("hosts", BOTH, Kind.BUILD, {LIVE_RULE: ("update web-weighted",)}),
    ("sticky", BOTH, Kind.BUILD, {LIVE_RULE: ("update web-weighted",)}),
    ("priority", BOTH, Kind.BUILD, {LIVE_RULE: ("update web-weighted",)}),
    (
        "prod-route-moved",
        OLD,
        Kind.MIXED,
        {
            SERVING: ("delete v1-35-from-private-8080-8080", "replace orders-v1-35-preview"),
            LIVE_RULE: ("replace orders-weighted",),
        },
    ),
    ("prod-pod-port", OLD, Kind.MIXED, {SERVING: ("delete v1-35-from-public-8080-8080",)}),
    # The shared layer.
    ("tags", BOTH, Kind.BUILD, {LIVE_RULE: 2, SHARED: 21}),
    ("nat-per-zone", BOTH, Kind.BUILD, {SHARED: ("update network-ap-northeast-1c-private-out",)}),
    (
        "zone-added",
        BOTH,
        Kind.MIXED,
        {SERVING: ("replace v1-35-nodes", "replace v1-36-nodes"), SHARED: ("update public",)},
    ),
    ("name-added", BOTH, Kind.MIXED, {SHARED: 5}),
    ("name-removed", BOTH, Kind.MIXED, {SHARED: 6}),
    ("prod-ingress", OLD, Kind.MIXED, {SHARED: ("delete public-443-0.0.0.0/0", "delete public-80-0.0.0.0/0")}),
    ("cloud-map-service-added", BOTH, Kind.BUILD, {}),
    (
        "cloud-map-namespace",
        BOTH,
        Kind.MIXED,
        {
            SERVING: ("replace v1-35-grpc-api", "replace v1-36-grpc-api"),
            SHARED: ("replace discovery", "replace discovery-grpc-api"),
        },
    ),
]


@pytest.mark.parametrize(
    ("plan", "serving", "expected", "broken"), TABLE, ids=[f"{row[0]}, {' and '.join(sorted(row[1]))}" for row in TABLE]
)
def test_a_plan_is_for_what_it_is_for_and_breaks_the_rules_that_it_breaks(
    plan: str, serving: set[str], expected: Kind, broken: Expected
) -> None:
    run = plans.play(plan)
    assert kind(run) is expected
    assert _summed(violations(run, serving, LIVE), broken) == broken


def test_every_plan_that_was_recorded_is_judged() -> None:
    recorded = {path.stem for path in Path(plans.__file__).parent.glob("*.jsonl")}
    assert recorded == {row[0] for row in TABLE}


def test_weights_are_told_by_cluster_and_a_group_to_be_made_by_the_cluster_that_it_is_for() -> None:
    assert weights(plans.play("cluster-at-10"))["web"] == (
        {"v1-35": 99, "v1-36": 1},
        {"v1-35": 99, "v1-36": 1, "v1-37": 10},
    )
    assert weights(plans.play("prod-route-moved"))["orders"] == ({"v1-35": 100, "v1-36": 0},) * 2
    assert weights(plans.play("retire"))["web"] == ({"v1-35": 0, "v1-36": 100}, {"v1-36": 100})


def test_a_group_that_only_changes_is_not_taken_for_the_one_that_is_made() -> None:
    run = plans.play("cluster-at-10")
    made = next(step for step in run.steps if (step.name, step.type) == ("web-v1-37", TARGET_GROUP))
    changed = replace(made, op="update", name="web-v1-35", urn=made.urn.replace("v1-37", "v1-35"))
    assert weights(replace(run, steps=(changed, *run.steps))) == weights(run)


def test_requests_move_when_the_share_of_a_cluster_in_a_live_route_differs() -> None:
    assert moved(plans.play("shift-one-route")) == ["web"]
    for quiet in ("cluster-at-0", "retire", "retire-and-build", "route-added", "prod-retire"):
        assert moved(plans.play(quiet)) == []


def test_without_word_of_which_routes_are_live_every_route_counts_as_live() -> None:
    removed = plans.play("idle-route-removed")
    assert violations(removed, BOTH) != []
    assert violations(removed, BOTH, ["web", "grpc-api"]) == []


def test_the_protection_of_what_leaves_in_the_same_plan_may_go_and_that_of_what_stays_may_not() -> None:
    """The cluster that is left serves when the plan is made, and its weight goes to 0 in it."""
    leaving = plans.play("shift-all")
    assert len(leaving.kept) > 40
    assert violations(leaving, BOTH, LIVE) == []
    other = replace(leaving, kept=tuple(replace(step, name=step.name.replace("-35", "-36")) for step in leaving.kept))
    assert {violation.rule for violation in violations(other, BOTH, LIVE)} == {PROTECT}


def test_protection_that_goes_with_an_update_counts_too() -> None:
    run = plans.play("addon")
    lifted = Run(tuple(replace(step, protected=True, lifted=True) for step in run.steps), (), 0.0)
    assert [violation.rule for violation in violations(lifted, OLD, LIVE)] == [PROTECT]


def test_access_to_a_cluster_that_serves_can_be_taken_back() -> None:
    gone = plans.play("nodes-replaced").steps[0]
    entry = replace(gone, op="delete", type="aws:eks/accessEntry:AccessEntry", name="v1-35-access-admin")
    assert violations(Run((entry,), (), 0.0), OLD, LIVE) == []


def test_a_second_cluster_of_a_version_is_not_taken_for_the_first() -> None:
    gone = plans.play("nodes-replaced").steps[0]
    second = replace(gone, op="delete", name="v1-35-b-nodes")
    assert violations(Run((second,), (), 0.0), OLD, LIVE) == []
    assert [violation.step.name for violation in violations(Run((second,), (), 0.0), {"v1-35-b"}, LIVE)] == [
        "v1-35-b-nodes"
    ]


def test_a_violation_says_what_is_wrong_what_would_happen_and_what_to_do() -> None:
    (violation,) = violations(plans.play("nodes-replaced"), OLD, LIVE)
    assert str(violation) == (
        "replace v1-35-nodes: what serves is neither replaced nor deleted. v1-35 serves, and its requests could fail. "
        "Move them away first, with a shift of v1-35 to 0; to take the cluster away, retire it."
    )


@pytest.mark.parametrize(
    ("plan", "said"),
    [("hosts", "no gate judges that. Take it out of this change."), ("route-not-live", "be answered with 404. Leave")],
)
def test_a_live_rule_that_changes_is_told_from_one_that_goes(plan: str, said: str) -> None:
    (violation,) = violations(plans.play(plan), BOTH, LIVE)
    assert said in str(violation)


def _summed(found: list[Violation], like: Expected) -> Expected:
    summed: Expected = {}
    for rule in dict.fromkeys(violation.rule for violation in found):
        steps = sorted(f"{one.step.op} {one.step.name}" for one in found if one.rule is rule)
        summed[rule] = len(steps) if isinstance(like.get(rule), int) else tuple(steps)
    return summed


def _rule_step(op: str, name: str) -> Step:
    urn = f"urn:pulumi:dev::eks-cutover::eks-cutover:route:Route${LISTENER_RULE}::{name}"
    return Step(op, LISTENER_RULE, name, urn=urn)


@pytest.mark.parametrize("op", ["create", "delete"])
def test_a_rule_that_takes_from_others_or_gives_back_moves_requests_and_stands_alone(op: str) -> None:
    alone = Run((_rule_step(op, "web-weighted"),), (), 0.0)
    assert kind(alone, ["web"]) == Kind.SHIFT
    assert violations(alone, OLD, ["web"], ["web"]) == []
    beside = replace(alone, steps=(*alone.steps, _rule_step("create", "web-v1-37-preview")))
    assert kind(beside, ["web"]) == Kind.MIXED
    assert [one.rule for one in violations(beside, OLD, ["web"], ["web"])] == [ALONE]
    # On a load balancer of the stack's own nobody answers without the rule.
    assert [one.rule for one in violations(alone, OLD, ["web"])] == ([LIVE_RULE] if op == "delete" else [])


def test_a_given_role_that_a_retired_cluster_no_longer_reads_is_no_change_beside_its_end() -> None:
    role = "aws:iam/role:Role"
    urn = f"urn:pulumi:dev::eks-cutover::eks-cutover:cluster:Cluster${role}::v1-35-role"
    retired = plans.play("retire")
    forgetting = replace(retired, steps=(*retired.steps, Step("discard", role, "v1-35-role", urn=urn)))
    assert kind(forgetting) == Kind.RETIRE
    assert not violations(forgetting, NEW, LIVE)


def test_what_is_only_taken_over_changes_nothing_and_what_takes_the_place_of_another_deletes_that() -> None:
    kind_of_it = "aws:lb/loadBalancer:LoadBalancer"
    urn = f"urn:pulumi:dev::eks-cutover::eks-cutover:load_balancer:SharedLoadBalancer${kind_of_it}::public"
    taken = Run((_rule_step("import", "web-weighted"), Step("import", kind_of_it, "public", urn=urn)), (), 0.0)
    assert kind(taken) == Kind.BUILD
    assert not violations(taken, BOTH, LIVE)
    other = replace(taken, steps=tuple(replace(step, op="import-replacement") for step in taken.steps))
    assert [one.rule for one in violations(other, BOTH, LIVE)] == [LIVE_RULE, SHARED]


def test_clusters_whose_keys_tell_no_version_are_told_from_routes_by_the_keys_that_are_known() -> None:
    keys = frozenset({"blue", "eu-blue"})
    steps = [replace(_rule_step("delete", f"web-{key}-preview"), keys=keys) for key in ("blue", "eu-blue", "v1-36")]
    assert [(route_of(step), cluster_of(step)) for step in steps] == [
        ("web", "blue"),
        ("web", "eu-blue"),
        ("web", "v1-36"),
    ]
    arn = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup"
    groups = ((f"{arn}/web-eu-blue-0123456/1", 1), (f"{arn}/dev-web-blue/2", 2), (f"{arn}/web-v1-36-0123456/3", 3))
    run = Run((), (), 0.0, forwards={"web-weighted": (groups, groups)}, keys=keys)
    assert weights(run)["web"][0] == {"eu-blue": 1, "blue": 2, "v1-36": 3}
