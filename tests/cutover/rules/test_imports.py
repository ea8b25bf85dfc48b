"""What may be taken over: what is as the stack would make it, and nothing that the stack has already."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.rules.imports import differences, refusal, standing, told, without_conditions
from settings.imports import LISTENER_RULE, RECORD, SECURITY_GROUP, TARGET_GROUP, Import

ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/shop/1/2/3"
GROUP = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop/1"


def _rule(*, weight: int = 1, duration: int = 1, enabled: bool = False, **more: Any) -> dict[str, Any]:
    sticky = {"enabled": enabled, "duration": duration, "__defaults": []}
    forward = {"targetGroups": [{"arn": GROUP, "weight": weight}], "stickiness": sticky}
    return {"priority": 5.0, "actions": [{"type": "forward", "forward": forward, **more}]}


def _login(**more: Any) -> dict[str, Any]:
    oidc = {"issuer": "https://login.example.com", "scope": "openid", **more}
    return {"actions": [{"type": "authenticate-oidc", "order": 1.0, "authenticateOidc": oidc}, *_rule()["actions"]]}


@pytest.mark.parametrize(
    ("live", "wanted", "said"),
    [
        ({"path": "/"}, {"path": "/healthz"}, ['path: "/" there, "/healthz" here']),
        ({"check": {"interval": 30.0}}, {"check": {"interval": 10.0}}, ["check.interval: 30 there, 10 here"]),
        ({}, {"alpn": "h2"}, ['alpn: nothing there, "h2" here']),
        ({"description": "mine"}, {}, ['description: "mine" there, nothing here']),
        ({"description": "mine", "port": 1}, {"port": 2}, ["port: 1 there, 2 here"]),
        ({"subnets": ["b", "a"], "port": 1}, {"subnets": ["a", "b"], "port": 2}, ["port: 1 there, 2 here"]),
        ({"subnets": ["a", "c"]}, {"subnets": ["a", "b"]}, ['subnets[1]: "c" there, "b" here']),
        ({"subnets": ["a"]}, {"subnets": ["a", "b"]}, ['subnets: ["a"] there, ["a", "b"] here']),
        (_rule(targetGroupArn=GROUP), _rule(), []),
        (_rule(duration=3600), _rule(), []),
        (_rule(weight=2), _rule(), ["actions[0].forward.targetGroups[0].weight: 2 there, 1 here"]),
        (
            _rule(duration=3600, enabled=True),
            _rule(duration=60, enabled=True),
            ["actions[0].forward.stickiness.duration: 3600 there, 60 here"],
        ),
        (
            {**_rule(duration=3600), "transforms": [{"type": "url-rewrite"}]},
            _rule(),
            ['transforms: [{"type": "url-rewrite"}] there, nothing here'],
        ),
        (
            {**_rule(duration=3600), "conditions": [{"hostHeader": {"values": ["a"], "regexValues": ["b"]}}]},
            {**_rule(), "conditions": [{"hostHeader": {"values": ["a"]}}]},
            ['conditions[0].hostHeader.regexValues: ["b"] there, nothing here'],
        ),
        (
            {"subnets": ["a"], "region": "eu-central-1"},
            {"subnets": ["a"]},
            ["the provider would change it, and does not say what: pulumi preview --diff shows what it compares"],
        ),
        (
            {**_rule(targetGroupArn=GROUP), "priority": 9.0},
            _rule(),
            ["priority: 9 there, 5 here"],
        ),
        # The secret of a login is told nobody: what the file has is taken, and shown nowhere.
        (_login(), _login(clientSecret="hunter2"), []),
        (
            _login(),
            _login(clientSecret="hunter2", scope="openid email"),
            ['actions[0].authenticateOidc.scope: "openid" there, "openid email" here'],
        ),
        (
            {"actions": [{"type": "forward"}]},
            {"actions": [{"type": "authenticate-oidc", "authenticateOidc": {"clientSecret": "hunter2"}}]},
            [
                "actions[0].authenticateOidc: nothing there, {} here",
                'actions[0].type: "forward" there, "authenticate-oidc" here',
            ],
        ),
    ],
)
def test_an_import_may_say_the_same_again_and_change_nothing(
    live: dict[str, Any], wanted: dict[str, Any], said: list[str]
) -> None:
    assert differences(ARN, live, wanted) == said


def test_tags_that_differ_come_with_the_commands_that_give_a_thing_the_right_ones() -> None:
    live, wanted = {"Name": "the shop", "team": "a"}, {"team": "b", "k": "v w"}
    assert differences(ARN, {"tagsAll": live}, {"tagsAll": wanted}) == [
        f"tags: k, team are not there as here. aws elbv2 add-tags --resource-arns {ARN} --tags 'Key=k,Value=v w' "
        "Key=team,Value=b",
        f"tags: Name are there and not here. aws elbv2 remove-tags --resource-arns {ARN} --tag-keys Name",
    ]
    assert differences("sg-1", {"tagsAll": live}, {"tagsAll": wanted}) == [
        "tags: k, team are not there as here. aws ec2 create-tags --resources sg-1 --tags 'Key=k,Value=v w' "
        "Key=team,Value=b",
        "tags: Name are there and not here. aws ec2 delete-tags --resources sg-1 --tags Key=Name",
    ]


def test_what_a_controller_keeps_is_refused_without_a_word_of_how_to_take_its_tags_off() -> None:
    tags = {"elbv2.k8s.aws/cluster": "prod", "ingress.k8s.aws/stack": "shop"}
    said = refusal("public", ARN, ["tags: remove-tags"], tags, "terraform")
    assert "an Ingress shop" in said
    assert "remove-tags" not in said
    assert "change it there by cloudformation" in refusal("public", ARN, ["a: 1 there, 2 here"], {}, "cloudformation")
    assert "change it there. Nothing" in refusal("public", ARN, ["a: 1 there, 2 here"], {}, "none")


def test_the_secret_of_previews_is_in_no_message() -> None:
    lines = ["conditions[0].values[0]: a.old there, a.new here", "conditions[1]: b there", "priority: 1 there, 2 here"]
    said = "\n".join(without_conditions(lines))
    assert "a.old" not in said
    assert "a.new" not in said
    assert said.endswith("priority: 1 there, 2 here")
    assert said.count("conditions") == 1


def _wanted(**ids: str) -> Import:
    return Import.model_validate(
        {"formerOwner": "none", "ids": {name.replace("_", "-"): one for name, one in ids.items()}}
    )


def _state(*resources: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    return {
        f"urn:pulumi:dev::eks-cutover::eks-cutover:route:Route${kind}::{name}": {"type": kind, "outputs": outputs}
        for kind, name, outputs in resources
    }


@pytest.mark.parametrize(
    ("kind", "outputs", "identity"),
    [
        (TARGET_GROUP, {"arn": GROUP}, GROUP),
        (SECURITY_GROUP, {"arn": "arn:aws:ec2:eu-central-1:1:security-group/sg-0a"}, "sg-0a"),
        (RECORD, {"zoneId": "Z1", "name": "app.example.com", "type": "A"}, "Z1_app.example.com_A"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"securityGroupRuleId": "sgr-0a"}, "sgr-0a"),
    ],
)
def test_what_the_stack_has_already_keeps_its_id(kind: str, outputs: dict[str, Any], identity: str) -> None:
    state = _state((kind, "it", outputs))
    assert not standing(_wanted(it=identity), frozenset(), [], state)
    assert not standing(_wanted(it=identity), frozenset(), [], {})
    (said,) = standing(_wanted(it=identity.replace("1", "2").replace("0a", "0b")), frozenset(), [], state)
    assert f"the stack has {identity} under that name. The engine would delete that one" in said


def test_a_route_whose_preview_rules_the_stack_has_is_not_taken_over_in_part() -> None:
    state = _state((LISTENER_RULE, "web-blue-preview", {"arn": ARN}))
    (said,) = standing(_wanted(web_weighted=f"{ARN}4"), frozenset({"web"}), ["blue", "green"], state)
    assert "It would be deleted" in said
    assert "cutover disown web" in said
    whole = _wanted(web_weighted=f"{ARN}4", web_blue_preview=ARN)
    assert not standing(whole, frozenset({"web"}), ["blue", "green"], state)


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        ("terraform", "destroy = false"),
        ("cloudformation", "DeletionPolicy: Retain"),
        ("controller", "must have let go already"),
        ("none", "nobody who has to let go"),
    ],
)
def test_a_run_says_what_it_takes_over_and_how_its_owner_lets_go(owner: str, said: str) -> None:
    words = told(Import.model_validate({"formerOwner": owner, "ids": {"public-alb": "sg-0a"}}))
    assert "public-alb" in words
    assert said in words
