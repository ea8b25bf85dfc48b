"""The emulated rule of a listener: its conditions, its priority, and where it forwards.

From the provider's source and the quotas of the Application Load Balancers user guide. Refuses to own conditions
(conditions.py), actions (actions.py) and the target groups that they name (forwards.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import Aws, AwsError
from rehearsal.plugins.aws.calls import find, tags_asked
from rehearsal.plugins.aws.elbv2 import limits
from rehearsal.plugins.aws.elbv2.actions import ACTION, action_asked, action_faults, actions_found
from rehearsal.plugins.aws.elbv2.conditions import (
    CONDITION,
    condition_asked,
    condition_faults,
    condition_found,
    judge_conditions,
)
from rehearsal.plugins.aws.elbv2.forwards import judge_forward
from rehearsal.plugins.aws.elbv2.standing import find_listener, rules_by_load_balancer, rules_of
from rehearsal.plugins.aws.elbv2.tags import retag, tags_found
from rehearsal.plugins.aws.table import GIVEN, OUTPUT, REQUIRED_REPLACES, Field, Type, list_of, set_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.refused import Props


def _in_use(operation: str, priority: int) -> AwsError:
    return AwsError("elbv2", operation, "PriorityInUse", f"Priority '{priority}' is currently in use")


def _create(aws: Aws, inputs: Props) -> str:
    actions = [action_asked(action) for action in inputs["actions"]]
    conditions = [condition_asked(condition) for condition in inputs["conditions"]]
    listener_arn = inputs["listenerArn"]
    judge_conditions("CreateRule", conditions)
    with aws.judging:
        listener = find_listener(aws, listener_arn)
        if listener is None:
            raise AwsError("elbv2", "CreateRule", "ListenerNotFound", f"Listener '{listener_arn}' not found")
        at, rules = listener["LoadBalancerArn"], rules_by_load_balancer(aws)
        taken = {rule["Priority"] for rule in rules[at] if rule["ListenerArn"] == listener_arn} - {"default"}
        priority = inputs.get("priority") or max([0, *map(int, taken)]) + 1
        if str(priority) in taken:
            raise _in_use("CreateRule", priority)
        if sum(not rule["IsDefault"] for rule in rules[at]) >= limits.RULES_PER_LOAD_BALANCER:
            raise AwsError(
                "elbv2",
                "CreateRule",
                "TooManyRules",
                f"The maximum number of rules on load balancer '{at}' has been reached",
            )
        judge_forward(aws, "CreateRule", at, listener["Protocol"], actions, rules=rules)
        answer = aws.ask(
            "elbv2",
            "create_rule",
            ListenerArn=listener_arn,
            Priority=priority,
            Actions=actions,
            Conditions=conditions,
            **tags_asked(inputs),
        )
    return answer["Rules"][0]["RuleArn"]


def _update(aws: Aws, arn: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    with aws.judging:
        if "priority" in changed and "priority" in new:
            others = [rule for rule in rules_of(aws, new["listenerArn"]) if rule["RuleArn"] != arn]
            if any(rule["Priority"] == str(new["priority"]) for rule in others):
                raise _in_use("SetRulePriorities", new["priority"])
            aws.ask("elbv2", "set_rule_priorities", RulePriorities=[{"RuleArn": arn, "Priority": new["priority"]}])
        asked: dict[str, Any] = {}
        if "actions" in changed:
            asked["Actions"] = [action_asked(action) for action in new["actions"]]
            listener = find_listener(aws, new["listenerArn"])
            if listener is None:
                raise AwsError("elbv2", "ModifyRule", "RuleNotFound", "One or more rules not found")
            at, protocol = listener["LoadBalancerArn"], listener["Protocol"]
            judge_forward(aws, "ModifyRule", at, protocol, asked["Actions"], rules=rules_by_load_balancer(aws))
        if "conditions" in changed:
            asked["Conditions"] = [condition_asked(condition) for condition in new["conditions"]]
            judge_conditions("ModifyRule", asked["Conditions"])
        if asked:
            aws.ask("elbv2", "modify_rule", RuleArn=arn, **asked)
    retag(aws, arn, old, new, changed)


def _read(aws: Aws, arn: str, known: Props) -> Props | None:
    gone = ("RuleNotFound", "ListenerNotFound", "LoadBalancerNotFound")
    rule = find(aws, gone, "elbv2", "describe_rules", "Rules", RuleArns=[arn])
    if rule is None:
        return None
    return {
        **known,
        "listenerArn": arn.replace(":listener-rule/", ":listener/").rpartition("/")[0],
        "arn": arn,
        "priority": int(rule["Priority"]),
        "actions": actions_found(rule["Actions"], known.get("actions", [])),
        "conditions": [condition_found(one) for one in rule["Conditions"]],
        **tags_found(aws, arn, known),
    }


def _delete(aws: Aws, arn: str, state: Props) -> None:  # noqa: ARG001
    aws.found(("RuleNotFound",), "elbv2", "delete_rule", RuleArn=arn)


def _rule(inputs: Props) -> Iterator[str]:
    yield from action_faults(inputs["actions"])
    yield from condition_faults(inputs["conditions"])


def _priority(value: Any) -> str | None:
    if isinstance(value, int) and (1 <= value <= limits.HIGHEST_PRIORITY or value == limits.DEFAULT_RULE_PRIORITY):
        return None
    return (
        f"to be in the range 1-{limits.HIGHEST_PRIORITY} for normal rule or {limits.DEFAULT_RULE_PRIORITY} for the "
        f"default rule, got {value}"
    )


TYPE = Type(
    "aws:lb/listenerRule:ListenerRule",
    "ELBv2 Listener Rule",
    {
        "actions": list_of(ACTION, required=True),
        "conditions": set_of(CONDITION, required=True),
        "listenerArn": REQUIRED_REPLACES,
        "priority": Field(computed=True, check=_priority),
        "tags": GIVEN,
        "arn": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    rule=_rule,
)
