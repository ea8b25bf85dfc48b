"""What is true in AWS: weighted rules and target groups by their tags, health, and the hold.

Owns every read that the gate rests on, but for CloudWatch's history (buckets.py). Never reads the state or the stack
file: after drift or a rollback both are wrong. Refuses to judge (gate.py) and to write.

Reads stay within ELB's rate (a bucket of 40, refilled with 10 a second, shared with the controllers): health is read
only of groups that have a share before or after, and at most twenty at a time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from components.tags import CLUSTER_TAG, ROUTE_TAG, STACK_TAG
from cutover.calls import OutsideError, at_once, client, failing_as, open_session, threads, told, waiting
from cutover.gate import Group, Hold
from cutover.shift import HIGHEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import boto3

    from settings.models import Aws
    from settings.owner import Owner

_AT_ONCE = 20
_TAGS_PER_CALL = 20  # what DescribeTags takes
_QUERIES_PER_CALL = 500  # what GetMetricData takes
_NO_TARGET = {"unused", "draining"}  # states of what no request is sent to, also where nothing else is there
_OUTSIDE = "all"  # the zone of a target outside the load balancer's VPC


class LiveError(OutsideError):
    """AWS could not be read. The text says which call failed and why."""


class HoldError(LiveError):
    """What stands where the hold would is none that this program wrote. The text says what it is."""


@dataclass(frozen=True)
class WeightedRule:
    """A route's weighted rule: its load balancer, and the weight of every target group by ARN.

    ``instead`` is what the rule does where somebody has made it forward to nothing: "fixed-response 503".
    """

    arn: str
    load_balancer: str
    weights: Mapping[str, int]
    instead: str = ""


@dataclass(frozen=True)
class TargetGroup:
    """A route's and cluster's target group. ``checked`` is whether its health checks are on."""

    arn: str
    route: str
    cluster: str
    checked: bool


@dataclass(frozen=True)
class Found:
    """What a stack has in AWS: weighted rules by route, target groups by ARN, and the hold, if there is one."""

    rules: Mapping[str, WeightedRule]
    groups: Mapping[str, TargetGroup]
    hold: Hold | None

    def group_of(self, route: str, cluster: str) -> str | None:
        """Return the ARN of a route's target group in a cluster, or None.

        While one is replaced there are two, and the one in the weighted rule is meant.
        """
        found = [group.arn for group in self.groups.values() if (group.route, group.cluster) == (route, cluster)]
        ruled = self.rules[route].weights if route in self.rules else {}
        return next((arn for arn in found if arn in ruled), next(iter(found), None))

    @property
    def instead(self) -> list[str]:
        """Say of every rule that forwards to nothing what it does, and by which route."""
        return [f"{route} ({rule.instead})" for route, rule in sorted(self.rules.items()) if rule.instead]

    @property
    def serving(self) -> set[str]:
        """The clusters that get requests: those with a weight above 0 in a weighted rule."""
        weights = [item for rule in self.rules.values() for item in rule.weights.items()]
        return {self.groups[arn].cluster for arn, weight in weights if weight > 0 and arn in self.groups}


def session(aws: Aws) -> boto3.Session:
    """Return a session with the credentials that the stack's provider uses: its profile, then its roles in order.

    :raises LiveError: there is no such profile, credentials cannot be loaded, a role may not be assumed, or the account
        is none that is allowed
    """
    with failing_as(LiveError):
        current = open_session(profile_name=aws.profile, region_name=aws.region)
        _check_credentials(current)
        for role in aws.assume_roles:
            named = {"RoleSessionName": role.session_name or "eks-cutover"}
            outside = {"ExternalId": role.external_id} if role.external_id else {}
            answer = client(current, "sts").assume_role(RoleArn=role.role_arn, **named, **outside)
            credentials = answer["Credentials"]
            current = open_session(
                aws_access_key_id=credentials["AccessKeyId"],
                aws_secret_access_key=credentials["SecretAccessKey"],
                aws_session_token=credentials["SessionToken"],
                region_name=aws.region,
            )
        if aws.allowed_account_ids:
            account = client(current, "sts").get_caller_identity()["Account"]
            if account not in aws.allowed_account_ids:
                raise LiveError(
                    f"the credentials are of account {account}, and aws:allowedAccountIds allows "
                    f"{', '.join(aws.allowed_account_ids)}. Nothing was changed. Use credentials of that account"
                )
    return current


def _check_credentials(current: boto3.Session) -> None:
    """Load the credentials: else the first client says what is wrong with them, wherever that is made.

    :raises LiveError: they cannot be loaded
    """
    with (
        failing_as(lambda why: LiveError(f"no credentials could be loaded ({why})")),
        waiting("the credentials"),
    ):
        if credentials := current.get_credentials():
            credentials.get_frozen_credentials()


class Live:
    """Reads of one stack in one account. Calls may come from any thread."""

    def __init__(self, account: boto3.Session, owner: Owner) -> None:
        self._owner = owner
        self._elb: Any = client(account, "elbv2")
        self.cloudwatch: Any = client(account, "cloudwatch")
        self._ssm: Any = client(account, "ssm")

    def find(self) -> Found:
        """Find the stack's rules, groups and hold.

        :raises LiveError: AWS could not be read
        """
        return replace(self.traffic(), hold=self.hold())

    def traffic(self) -> Found:
        """Find the stack's rules and groups, and leave the hold aside: a rollback must not wait for SSM.

        :raises LiveError: AWS could not be read
        """
        with failing_as(LiveError):
            balancers = self._own(self._pages("describe_load_balancers", "LoadBalancers"), "LoadBalancerArn")
            arns = [balancer["LoadBalancerArn"] for balancer, _ in balancers]
            with threads(_AT_ONCE) as pool:
                rules, groups = pool.map(self._rules, arns), pool.map(self._groups, arns)
                return Found(
                    rules={route: rule for found in rules for route, rule in found.items()},
                    groups={arn: group for found in groups for arn, group in found.items()},
                    hold=None,
                )

    def hold(self) -> Hold | None:
        """Return the hold, if there is one.

        :raises HoldError: what stands there is no hold
        :raises LiveError: AWS could not be read
        """
        with failing_as(LiveError):
            try:
                value = self._ssm.get_parameter(Name=hold_name(self._owner))["Parameter"]["Value"]
            except self._ssm.exceptions.ParameterNotFound:
                return None
        try:
            return _hold(json.loads(value))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise HoldError(
                f"{hold_name(self._owner)} in SSM is not a hold that this program wrote ({error}). Whoever wrote it "
                "meant to stop all moves; to lift it: cutover release"
            ) from error

    def health(self, groups: Iterable[TargetGroup]) -> dict[str, Group]:
        """Return the groups with what is healthy in them, by ARN; one that cannot be read says so."""
        wanted = list(groups)
        seen = at_once(self._read, wanted, _AT_ONCE)
        return {group.arn: one for group, one in zip(wanted, seen, strict=True)}

    def requests(self, rules: Mapping[str, WeightedRule]) -> dict[str, float]:
        """Return the requests of the last five minutes by route, as far as CloudWatch has them.

        :raises LiveError: AWS could not be read
        """
        serving = [(route, arn) for route, rule in rules.items() for arn, weight in rule.weights.items() if weight > 0]
        serving = serving[:_QUERIES_PER_CALL]
        metric = {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount"}
        queries = [
            {
                "Id": f"q{place}",
                "MetricStat": {
                    "Metric": {**metric, "Dimensions": dimensions(rules[route].load_balancer, arn)},
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
            for place, (route, arn) in enumerate(serving)
        ]
        now = datetime.now(UTC)
        counted = dict.fromkeys(rules, 0.0)
        with failing_as(LiveError):
            answer = self.cloudwatch.get_metric_data(
                MetricDataQueries=queries, StartTime=now - timedelta(minutes=5), EndTime=now
            )
            for result in answer["MetricDataResults"]:
                counted[serving[int(result["Id"][1:])][0]] += sum(result["Values"])
        return counted

    def _read(self, group: TargetGroup) -> Group:
        try:
            answer = self._elb.describe_target_health(TargetGroupArn=group.arn)
            healthy = {
                (target["Target"]["Id"], target["Target"].get("Port")): target["Target"].get("AvailabilityZone")
                for target in answer["TargetHealthDescriptions"]
                if target["TargetHealth"]["State"] == "healthy"
            }
            states = {target["TargetHealth"]["State"] for target in answer["TargetHealthDescriptions"]}
        except Exception as error:
            return Group(cluster=group.cluster, unreadable=told(error))
        return Group(
            cluster=group.cluster,
            units=len(healthy),
            registered=bool(states - _NO_TARGET),
            zones=frozenset(zone for zone in healthy.values() if zone and zone != _OUTSIDE),
            checked=group.checked,
        )

    def _rules(self, balancer: str) -> dict[str, WeightedRule]:
        found: dict[str, WeightedRule] = {}
        for listener in self._pages("describe_listeners", "Listeners", LoadBalancerArn=balancer):
            rules = self._pages("describe_rules", "Rules", ListenerArn=listener["ListenerArn"])
            for rule, tags in self._own([rule for rule in rules if not rule["IsDefault"]], "RuleArn"):
                if ROUTE_TAG in tags and CLUSTER_TAG not in tags:
                    weights = forwarded(rule["Actions"])
                    instead = "" if weights else _instead(rule["Actions"])
                    found[tags[ROUTE_TAG]] = WeightedRule(rule["RuleArn"], balancer, weights, instead)
        return found

    def _groups(self, balancer: str) -> dict[str, TargetGroup]:
        try:
            groups = self._pages("describe_target_groups", "TargetGroups", LoadBalancerArn=balancer)
        except self._elb.exceptions.TargetGroupNotFoundException:  # a load balancer without any
            return {}
        return {
            group["TargetGroupArn"]: TargetGroup(
                group["TargetGroupArn"], tags[ROUTE_TAG], tags[CLUSTER_TAG], group["HealthCheckEnabled"]
            )
            for group, tags in self._own(groups, "TargetGroupArn")
            if ROUTE_TAG in tags and CLUSTER_TAG in tags
        }

    def _own(self, things: Sequence[dict[str, Any]], key: str) -> list[tuple[dict[str, Any], dict[str, str]]]:
        """Return the things that the stack's tag is on, with their tags."""
        tags: dict[str, dict[str, str]] = {}
        arns = [thing[key] for thing in things]
        for start in range(0, len(arns), _TAGS_PER_CALL):
            answer = self._elb.describe_tags(ResourceArns=arns[start : start + _TAGS_PER_CALL])
            for one in answer["TagDescriptions"]:
                tags[one["ResourceArn"]] = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
        return [(thing, tags[thing[key]]) for thing in things if tags[thing[key]].get(STACK_TAG) == self._owner.stack]

    def _pages(self, call: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        pages = self._elb.get_paginator(call).paginate(**arguments)
        return [thing for page in pages for thing in page[key]]


def dimensions(balancer: str, group: str | None = None) -> list[dict[str, str]]:
    """Return what CloudWatch calls a load balancer, or a target group behind it, both by their ARNs."""
    of_group = [{"Name": "TargetGroup", "Value": group.rsplit(":", 1)[-1]}] if group else []
    return [*of_group, {"Name": "LoadBalancer", "Value": balancer.rsplit(":loadbalancer/", 1)[-1]}]


def hold_name(owner: Owner) -> str:
    """Return the name of the SSM parameter that holds a stack's weights: JSON of `Hold`."""
    return f"/eks-cutover/{owner.stack}/hold"


def _hold(says: Any) -> Hold:
    """Return a hold as JSON has it. A route that sends nothing anywhere is held at zeros, or at no clusters.

    :raises ValueError: it has a value that no hold has
    :raises TypeError: it has other keys than a hold, or something else than text in one
    :raises AttributeError: it is no map
    """
    hold = Hold(**says)
    for key in ("who", "why", "when"):
        if not isinstance(says.get(key), str):
            raise TypeError(f"{key} is {json.dumps(says.get(key))}, and not text")
    for route, weights in hold.weights.items():
        for cluster, weight in weights.items():
            if type(weight) is not int or not 0 <= weight <= HIGHEST:
                raise ValueError(f"{route} has {cluster} at {json.dumps(weight)}, and a weight is 0 to {HIGHEST}")
    return hold


def _instead(actions: Sequence[Mapping[str, Any]]) -> str:
    last = actions[-1]
    told = last.get("FixedResponseConfig", {}) or last.get("RedirectConfig", {})
    return f"{last['Type']} {told.get('StatusCode', '')}".strip()


def forwarded(actions: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the weight of every target group in a rule's actions, as ELB's API gives them."""
    groups = (group for action in actions for group in action.get("ForwardConfig", {}).get("TargetGroups", []))
    return {group["TargetGroupArn"]: group.get("Weight", 1) for group in groups}
