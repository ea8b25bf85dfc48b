"""What stands on a listener: its rules in ELB's order, whose each is, and what it does.

Refuses to judge (cutover/rules/listener.py), and to know which listener is meant (live.py, adoption).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutover.rules.listener import Listener, Rule
from cutover.rules.whose import controllers, whose
from settings.owner import CLUSTER_TAG, ROUTE_TAG, STACK_TAG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from settings.owner import Owner

_HOSTS, _PATHS = "host-header", "path-pattern"


def listener_of(
    described: Mapping[str, Any],
    rules: Iterable[Mapping[str, Any]],
    tags: Mapping[str, Mapping[str, str]],
    owner: Owner | None,
) -> Listener:
    """Return a listener as ELB describes it, and its rules; ``tags`` are theirs and the load balancer's, by ARN.

    Those of ``owner`` are told from others'.
    """
    made = [_rule(rule, tags.get(rule["RuleArn"], {}), owner) for rule in rules]
    return Listener(
        arn=described["ListenerArn"],
        load_balancer=described["LoadBalancerArn"],
        port=described["Port"],
        protocol=described["Protocol"],
        kept=controllers({**tags.get(described["LoadBalancerArn"], {}), **tags.get(described["ListenerArn"], {})}),
        rules=sorted(made, key=lambda rule: (rule.place is None, rule.place)),
    )


def _rule(rule: Mapping[str, Any], tags: Mapping[str, str], owner: Owner | None) -> Rule:
    conditions, actions = rule.get("Conditions", []), rule["Actions"]
    forwards = forwarded(actions)
    return Rule(
        arn=rule["RuleArn"],
        place=None if rule["IsDefault"] else int(rule["Priority"]),
        hosts=_values(conditions, _HOSTS, "HostHeaderConfig"),
        paths=_values(conditions, _PATHS, "PathPatternConfig"),
        besides=tuple(dict.fromkeys(filter(None, map(_besides, conditions)))),
        forwards=forwards,
        before=next((one["Type"] for one in actions if one["Type"].startswith("authenticate")), ""),
        instead="" if forwards else instead(actions),
        owner=whose(tags),
        stack=STACK_TAG in tags,
        **_place(tags) if owner is not None and owner.owns(tags) else {},
    )


def _place(tags: Mapping[str, str]) -> dict[str, str | None]:
    return {"route": tags.get(ROUTE_TAG), "cluster": tags.get(CLUSTER_TAG)}


def _values(conditions: Sequence[Mapping[str, Any]], field: str, config: str) -> tuple[str, ...]:
    return tuple(
        value
        for one in conditions
        if one["Field"] == field
        for value in one.get(config, {}).get("Values") or one.get("Values", [])
    )


def _besides(condition: Mapping[str, Any]) -> str:
    """Return what a condition asks for beside hosts and paths; a regular expression is no pattern that is compared."""
    if condition["Field"] not in {_HOSTS, _PATHS}:
        return str(condition["Field"])
    config = condition.get("HostHeaderConfig") or condition.get("PathPatternConfig") or {}
    return f"{condition['Field']} by regular expression" if config.get("RegexValues") else ""


def forwarded(actions: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the weight of every target group in a rule's actions, as ELB's API gives them."""
    groups = (
        group
        for action in actions
        for group in action.get("ForwardConfig", {}).get("TargetGroups")
        or ([action] if "TargetGroupArn" in action else [])
    )
    return {group["TargetGroupArn"]: group.get("Weight", 1) for group in groups}


def instead(actions: Sequence[Mapping[str, Any]]) -> str:
    """Return what a rule does that forwards to nothing, such as "fixed-response 503"."""
    last = actions[-1]
    told = last.get("FixedResponseConfig", {}) or last.get("RedirectConfig", {})
    return f"{last['Type']} {told.get('StatusCode', '')}".strip()
