"""Every bad configuration is refused before anything is created, in words that a user can act on.

refusals.yaml is the table; here are the cases that are too long for it, and the bounds that still pass.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from settings import parse
from tests.conftest import PROJECT, ROOT, stack_config
from tests.settings.editing import EXISTING, edited, message, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSALS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "refusals.yaml").read_text())


def lines(stack: str, config: dict[str, Any]) -> list[str]:
    """Return what a user is told, a line each, without the codes."""
    return [re.sub(r" \[CUT[0-9]+\]$", "", line.strip()) for line in message(stack, config).splitlines()[1:]]


def many_routes(count: int, **also: Any) -> dict[str, Any]:
    """Return the dev stack with ``count`` routes on its one load balancer."""
    web = stack_config("dev")["eks-cutover:routes"]["web"]
    routes = {f"r{n}": {**web, "priority": n, "hosts": [f"r{n}.example.com"]} for n in range(1, count + 1)}
    return edited("dev", {"routes": routes, **also})


def many_clusters(*keys: str) -> dict[str, Any]:
    """Return the prod stack with exactly these clusters, the first of which serves."""
    one = stack_config("prod")["eks-cutover:clusters"]["v1-36"]
    addons = {**one["addons"], "kubeProxy": "v1.26.0-eksbuild.1"}
    clusters = {key: {**one, "version": f"1.{key.split('-')[1]}", "addons": addons} for key in keys}
    return edited("prod", {"clusters": clusters, "weights": dict.fromkeys(keys, 0) | {keys[0]: 100}})


def test_tags_of_a_cluster_and_those_of_everything_are_counted_together() -> None:
    everywhere = {f"k{number}": "v" for number in range(40)}
    tags = {f"k{number}": "w" for number in range(36, 45)}
    changes = {"aws:defaultTags": {"tags": everywhere}, "clusters.v1-36.tags": tags}
    [told] = lines("dev", edited("dev", changes))
    assert told.startswith("eks-cutover:clusters.v1-36.tags: 45 tags, those of aws:defaultTags counted")
    del tags["k44"]
    settings_of("dev", changes)


@pytest.mark.parametrize("refusal", REFUSALS, ids=[refusal["when"] for refusal in REFUSALS])
def test_a_bad_configuration_is_refused_when(refusal: dict[str, Any]) -> None:
    stack = refusal["stack"]
    config = edited(stack, refusal.get("set"), drop=refusal.get("drop", ()), rename=refusal.get("rename"))
    said = refusal["says"].splitlines()
    head = "1 mistake" if len(said) == 1 else f"{len(said)} mistakes"
    first = f"{head} in Pulumi.{stack}.yaml; nothing has been changed."
    assert message(stack, config).splitlines() == [first, *(f"  {line}" for line in said)]


@pytest.mark.parametrize("refusal", REFUSALS, ids=[refusal["when"] for refusal in REFUSALS])
def test_an_answer_says_key_mistake_consequence_and_cure_in_whole_sentences_when(refusal: dict[str, Any]) -> None:
    for line in refusal["says"].splitlines():
        key, text = line.split(": ", 1)
        assert re.match(r"[a-z-]+:\S+", key)
        # What is wrong, what would follow, what to do now.
        assert len(re.findall(r"[.:] (?=[A-Z])", text)) >= 2
        assert re.search(r"[^.]\. \[CUT[124][0-9]{2}\]$", text)


def test_no_two_kinds_of_mistake_have_one_code() -> None:
    written = Counter(
        code
        for file in [*(ROOT / "settings").rglob("*.py"), *(ROOT / "cutover" / "rules").glob("*.py")]
        for code in re.findall(r'"(CUT[1-9][0-9]{2})"', file.read_text())
    )
    # A key that nobody reads is told where the whole project is read, and where a part is.
    assert {code for code, count in written.items() if count > 1} == {"CUT100"}


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_stack_files_that_ship_are_right(stack: str) -> None:
    assert message(stack, stack_config(stack)) == ""


@pytest.mark.parametrize(
    ("stack", "changes"),
    [
        ("dev", {"weights": {"v1-35": 0, "v1-36": 999}}),
        ("dev", {"network.cidr": "10.20.0.0/21", "network.zones": [f"ap-northeast-1{zone}" for zone in "abcdef"]}),
        ("dev", {"network": EXISTING}),
        ("dev", {"routes.web.stickiness": {"duration": 1}, "routes.grpc-api.stickiness": {"duration": 604800}}),
        ("dev", {"routes.web.hosts": ["*.a?.example.com"], "routes.web.paths": ["/*/x/*", "/*/y/*"]}),
        ("dev", {"routes.web.hosts": ["a.example.com", "b.example.com", "c.example.com"]}),
        ("dev", {"routes.web.priority": 1000, "routes.web.live": False}),
        ("dev", {"routes.web.probes": [{"path": "/"}, {"host": "APP.example.com", "path": "/a?b=*", "expect": "401"}]}),
        ("dev", {"routes.grpc-api.probes": [{}, {"service": "shop.Orders"}], "routes.grpc-api.methods": ["POST"]}),
        (
            "dev",
            {"routes.web.hosts": [], "routes.web.paths": ["/x"], "routes.web.probes": [{"host": "a.b", "path": "/x"}]},
        ),
        ("dev", {"routes.web.healthCheck.matcher": "200,204,300-399", "routes.grpc-api.healthCheck.matcher": "0-99"}),
        ("dev", {"routes.web.healthCheck.timeout": 14, "routes.web.slowStart": 900}),
        ("dev", {"loadBalancers.public.names": ["example.com", "*.example.com"]}),
        ("dev", {"serviceDiscovery.attributes": {"env": "integration", "team": "shop and till"}}),
        ("prod", {"clusters.v1-35.meshName": "shop", "clusters.v1-36.meshName": "shop"}),
        ("prod", {"clusters.v1-36.serviceCidr": "10.0.0.0/12", "network.cidr": "10.40.0.0/16"}),
        ("prod", {"clusters.v1-36.endpoint": {"publicCidrs": ["203.0.113.7/32"]}}),
        ("prod", {"aws:profile": "123456", "pulumi:disable-default-providers": ["aws"]}),
        (
            "prod",
            {
                "aws:defaultTags": {
                    "tags": {"担当": "基盤チーム", "Name": "", "created at": "2026-11-24 00:00:00 +0000"}
                }
            },
        ),
        ("prod", {"clusters.v1-36.nodes.instanceTypes": ["u-6tb1.metal", "m7i.metal-24xl", "g4dn.xlarge", "t3a.nano"]}),
        ("prod", {"clusters.v1-36.nodes.instanceTypes": ["m8gd.xlarge", "im4gn.large", "x2gd.metal", "a1.medium"]}),
        ("prod", {"clusters.v1-36.endpoint": {"publicCidrs": ["17.0.0.0/8", "198.51.100.7/32"]}}),
        ("prod", {"network.cidr": "100.64.0.0/16", "clusters.v1-35.addons.kubeProxy": "v1.34.3-eksbuild.2"}),
        ("dev", {"loadBalancers.public.names": [f"{'a' * 52}.example.com", f"{'b' * 63}.example.com"]}),
        (
            "dev",
            {"routes.grpc-api.healthCheck.path": "/AWS.ALB/healthcheck", "aws:allowedAccountIds": ["012345678901"]},
        ),
        ("prod", {"weights.v1-35": 1, "routes.web.weights": {"v1-35": 0, "v1-36": 1}}),
    ],
)
def test_a_configuration_at_the_bounds_is_taken(stack: str, changes: dict[str, Any]) -> None:
    assert message(stack, edited(stack, changes)) == ""


def test_names_that_leave_just_enough_room_for_auto_naming_are_taken() -> None:
    renamed = {"routes.web": f"routes.{'w' * 16}", "loadBalancers.public": f"loadBalancers.{'p' * 24}"}
    assert message("dev", edited("dev", rename=renamed)) == ""


def test_two_load_balancers_may_share_their_priorities_but_one_may_not() -> None:
    config = stack_config("prod")
    assert {route["priority"] for route in config["eks-cutover:routes"].values()} == {1}
    assert message("prod", config) == ""
    together = edited("prod", {"routes.orders.loadBalancer": "public"})
    assert "eks-cutover:routes.orders.priority: 1 is also the priority of web." in message("prod", together)


def test_each_route_that_shares_a_priority_is_named() -> None:
    config = many_routes(4)
    for route in config["eks-cutover:routes"].values():
        route["priority"] = 7
    said = lines("dev", config)
    assert [line.split(".priority: ")[0] for line in said] == [f"eks-cutover:routes.r{n}" for n in (2, 3, 4)]


def test_a_route_that_names_no_load_balancer_is_not_blamed_for_a_priority_as_well() -> None:
    said = lines("prod", edited("prod", drop=["routes.web.loadBalancer", "routes.orders.loadBalancer"]))
    assert len(said) == 2
    assert all(".loadBalancer: missing" in line for line in said)


def test_five_clusters_are_taken_and_a_sixth_is_not() -> None:
    five = ["v1-34", "v1-35", "v1-36", "v1-36-b", "v1-36-c"]
    assert message("prod", many_clusters(*five)) == ""
    assert lines("prod", many_clusters(*five, "v1-36-d")) == [
        "eks-cutover:clusters: 6 clusters, and a weighted rule holds 5 target groups. ELB would refuse every rule. "
        "Retire a cluster first."
    ]


def test_versions_are_taken_nine_apart_and_not_ten() -> None:
    assert message("prod", many_clusters("v1-27", "v1-36")) == ""
    assert lines("prod", many_clusters("v1-26", "v1-36")) == [
        "eks-cutover:clusters: the versions 1.26 and 1.36 are more than 9 apart. Their preview rules would take one "
        "priority. Retire the oldest first."
    ]


def test_a_hundred_rules_are_the_quota_until_the_file_says_that_it_was_raised() -> None:
    assert message("dev", many_routes(33)) == ""
    assert lines("dev", many_routes(34)) == [
        "eks-cutover:loadBalancers.public.ruleQuota: 34 routes over 2 clusters make 102 rules, and the quota is 100. "
        "The update would stop halfway. Move routes to another load balancer, or have the quota raised in Service "
        "Quotas and write it here."
    ]
    assert message("dev", many_routes(34, **{"loadBalancers.public.ruleQuota": 102})) == ""


def test_a_route_that_is_not_live_has_no_weighted_rule_to_count() -> None:
    config = many_routes(34)
    for name in ("r33", "r34"):
        config["eks-cutover:routes"][name]["live"] = False
    assert message("dev", config) == ""


def test_a_hundred_target_groups_are_all_that_a_load_balancer_takes() -> None:
    raised = {"loadBalancers.public.ruleQuota": 200}
    assert message("dev", many_routes(50, **raised)) == ""
    assert lines("dev", many_routes(51, **raised)) == [
        "eks-cutover:loadBalancers.public: 51 routes over 2 clusters make 102 target groups, and a load balancer takes "
        "100. The update would stop halfway. Move routes to another one."
    ]


def test_a_pod_has_no_more_attributes_than_cloud_map_takes() -> None:
    def attributes(count: int) -> dict[str, Any]:
        return edited("dev", {"serviceDiscovery.attributes": {f"key-{n}": "value" for n in range(count)}})

    assert message("dev", attributes(21)) == ""  # and ver, env, the label app, and 6 that the controller adds
    assert lines("dev", attributes(22)) == [
        "eks-cutover:serviceDiscovery.attributes: a pod of grpc-api would have 31 attributes (24 with ver and env, its "
        "labels, and 6 of the controller), and Cloud Map takes 30. It would refuse the pod, and clients would not find "
        "it. Leave some out."
    ]


RANGES = [f"203.0.{n}.0/24" for n in range(256)]
NAMES = [f"n{n}.example.com" for n in range(20)]


@pytest.mark.parametrize(
    ("key", "values", "most", "says"),
    [
        ("aws:defaultTags", {"tags": {f"t{n}": "" for n in range(99)}}, 44, "more than 44 tags. AWS takes 50"),
        ("loadBalancers.public.ingressCidrs", RANGES, 30, "31 ranges on ports 80 and 443 make 62 rules"),
        ("loadBalancers.public.names", NAMES, 10, "11 names, and ACM gives a certificate 10."),
        ("clusters.v1-36.endpoint", {"publicCidrs": RANGES}, 40, "Write fewer, at most 40."),
    ],
)
def test_as_many_are_taken_as_aws_takes_and_no_more(key: str, values: Any, most: int, says: str) -> None:
    def first(count: int) -> dict[str, Any]:
        return edited("dev", {key: cut(values, count)})

    def cut(values: Any, count: int) -> Any:
        if isinstance(values, list):
            return values[:count]
        [(name, inside)] = values.items()
        part = dict(list(inside.items())[:count]) if isinstance(inside, dict) else inside[:count]
        return {name: part}

    assert message("dev", first(most)) == ""
    [line] = lines("dev", first(most + 1))
    assert says in line


def test_pods_may_have_as_many_ports_as_a_security_group_has_rules_left() -> None:
    def ports(count: int) -> dict[str, Any]:
        config = many_routes(count, **{"loadBalancers.public.ruleQuota": 1000, "weights": {"v1-36": 1}})
        for n, route in enumerate(config["eks-cutover:routes"].values()):
            route |= {"targetType": "ip", "service": {**route["service"], "podPort": 8000 + n}}
        del config["eks-cutover:clusters"]["v1-35"]
        return config

    assert message("dev", ports(59)) == ""
    [line] = lines("dev", ports(60))
    assert "make 61 rules in the security group of each cluster, which holds 60." in line


def test_a_range_that_is_wrong_is_not_called_too_few() -> None:
    config = edited("dev", {"network": {**EXISTING, "privateSubnetIds": ["a", "b"]}})
    assert [line.split(": ")[0] for line in lines("dev", config)] == [
        "eks-cutover:network.privateSubnetIds[0]",
        "eks-cutover:network.privateSubnetIds[1]",
    ]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("routes.web.hosts", [f"{'a' * 121}.example"], "a host condition is at most 128"),
        ("routes.web.paths", ["/" + "a" * 128], "a path condition begins with / and has at most 128"),
        ("routes.web.service.name", "a" * 64, "at most 63"),
        ("preview.header", "X-" + "a" * 39, "1 to 40"),
        ("preview.secret", "a" * 101, "16 to 100"),
        ("serviceDiscovery.attributes", {"k" * 256: "v"}, "an attribute's key is 1 to 255"),
        ("serviceDiscovery.attributes", {"team": "v" * 1025}, "an attribute's value is text of 1 to 1024"),
        ("serviceDiscovery.namespace", "a" * 64 + ".example.com", "this is no DNS name"),
    ],
)
def test_text_that_is_too_long_is_refused_without_filling_the_screen(key: str, value: Any, says: str) -> None:
    [line] = lines("dev", edited("dev", {key: value}))
    assert says in line
    assert len(line) < 700


@pytest.mark.parametrize("stack", ["Dev", "dev_1", "dev.eu", "d" * 56])
def test_a_stack_is_refused_whose_name_eks_or_kubernetes_would_not_take(stack: str) -> None:
    said = message(stack, stack_config("dev"))
    assert f"  the stack's name: \"{stack}\": a stack's name here is at most 55 lower-case letters" in said


def test_mistakes_in_fields_are_told_all_at_once_in_the_order_of_the_file() -> None:
    config = edited("dev", {"weights.v1-36": "1", "network.cidr": "10.0.0.0/8", "colour": 1, "kubernetes:context": "x"})
    said = message("dev", config)
    assert said.startswith("4 mistakes in Pulumi.dev.yaml; nothing has been changed.\n")
    assert [line.split(": ")[0] for line in lines("dev", config)] == [
        "kubernetes:context",
        "eks-cutover:network.cidr",
        "eks-cutover:weights.v1-36",
        "eks-cutover:colour",
    ]


def test_mistakes_between_fields_are_told_all_at_once() -> None:
    config = edited(
        "dev",
        {"routes.grpc-api.priority": 1, "clusters.v1-36.version": "1.37", "kubernetes:context": "x"},
        drop=["weights.v1-35", "loadBalancers.public.zone"],
    )
    assert [line.split(": ")[0] for line in lines("dev", config)] == [
        "kubernetes:context",
        "eks-cutover:loadBalancers.public.zone",
        "eks-cutover:routes.grpc-api.priority",
        "eks-cutover:clusters.v1-36.version",
        "eks-cutover:weights.v1-35",
    ]


def test_mistakes_in_fields_and_between_fields_are_told_together() -> None:
    config = edited(
        "prod",
        {
            "aws:region": "tokyo",
            "network.cidr": "10.40.0.0/15",
            "loadBalancers.public.certificateArn": "none",
            "clusters.v1-35.version": 1.3,
            "clusters.v1-36.nodes.minSize": 9,
            "weights.v1-37": 0,
            "rollout": {"steps": [10, 1], "hold": 5},
            "routes.web.hosts": ["no host"],
            "routes.web.healthCheck.timeout": 60,
            "routes.orders.loadBalancer": "inside",
            "routes.orders.service.port": "80",
        },
    )
    assert [line.split(": ")[0].removeprefix("eks-cutover:") for line in lines("prod", config)] == [
        "aws:region",
        "network.cidr",
        "loadBalancers.public.certificateArn",
        "clusters.v1-35.version",
        "routes.web.hosts[0]",
        "routes.orders.service.port",
        "rollout.hold",
        "clusters.v1-36.nodes",
        "weights.v1-37",
        "rollout.steps",
        "routes.web.healthCheck.timeout",
        "routes.orders.loadBalancer",
    ]


@pytest.mark.parametrize(
    ("key", "wrong", "told"),
    [
        ("loadBalancers.public", {"zoen": "example.com"}, ["loadBalancers.public.zoen"]),
        ("loadBalancers.public", {"zone": 1}, ["loadBalancers.public.zone"]),
    ],
)
def test_a_mistake_in_a_field_is_no_mistake_between_fields_as_well(
    key: str, wrong: dict[str, Any], told: list[str]
) -> None:
    config = edited("dev", drop=[f"{key}.zone"])
    config["eks-cutover:loadBalancers"]["public"] |= wrong
    assert [line.split(": ")[0].removeprefix("eks-cutover:") for line in lines("dev", config)] == told


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_whatever_one_value_is_the_answer_is_a_list_of_mistakes(stack: str) -> None:
    refused, right = 0, stack_config(stack)
    for path in paths(right):
        for value in ("x", {"x": "x"}):
            config = copy.deepcopy(right)
            holder: Any = config
            for part in path[:-1]:
                holder = holder[part]
            holder[path[-1]] = value
            refused += bool(message(stack, config))
    assert refused > 150


def paths(holder: Any) -> Iterator[list[Any]]:
    """Yield the way to every value, and to what holds others."""
    for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
        yield [key]
        if isinstance(value, dict | list):
            yield from ([key, *rest] for rest in paths(value))


@pytest.mark.parametrize("name", ["new", "existing", "secret", "service"])
def test_a_route_may_be_named_like_a_word_that_the_program_uses(name: str) -> None:
    rename = {"routes.web": f"routes.{name}"}
    assert settings_of("dev", rename=rename).routes[name].priority == 1
    [line] = lines("dev", edited("dev", {f"routes.{name}.priority": "1"}, rename=rename))
    assert line.startswith(f'eks-cutover:routes.{name}.priority: "1": a priority is')


def test_the_project_may_have_another_name() -> None:
    config = {key.replace(PROJECT, "shop"): value for key, value in stack_config("dev").items()}
    assert parse(config, "shop", "dev").weights == {"v1-35": 99, "v1-36": 1}
