"""What is true in AWS: weighted rules and target groups by their tags, health, and the hold.

Owns every read that the gate rests on, but for CloudWatch's history (buckets.py). Never reads the state or the stack
file: after drift or a rollback both are wrong. Refuses to judge (gate.py) and to write.

Reads stay within ELB's rate (a bucket of 40, refilled with 10 a second, shared with the controllers): health is read
only of groups that have a share before or after, and at most twenty at a time.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cutover.aws import probe_records
from cutover.aws.hold import HoldError, hold_names, hold_of
from cutover.aws.listeners import forwarded, instead, listener_of
from cutover.aws.session import LiveError
from cutover.calls import at_once, client, failing_as, threads, told
from cutover.rules.found import Found, TargetGroup, WeightedRule
from cutover.rules.move import Group
from settings.owner import CLUSTER_TAG, PROJECT_TAG, ROUTE_TAG, project_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import boto3

    from cutover.rules.listener import Listener
    from cutover.rules.move import Hold
    from cutover.rules.probes import Record
    from cutover.rules.verdict import Unread
    from settings.owner import Owner

_AT_ONCE = 20
TAGS_PER_CALL = 20  # what DescribeTags takes
_QUERIES_PER_CALL = 500  # what GetMetricData takes
_NO_TARGET = {"unused", "draining"}  # states of what no request is sent to, also where nothing else is there
_OUTSIDE = "all"  # the zone of a target outside the load balancer's VPC


class Live:
    """Reads of one stack in one account. Calls may come from any thread."""

    def __init__(self, account: boto3.Session, owner: Owner) -> None:
        self._owner = owner
        self._elb: Any = client(account, "elbv2")
        self.cloudwatch: Any = client(account, "cloudwatch")
        self._ssm: Any = client(account, "ssm")

    def find(self) -> Found:
        """Find the stack's rules, groups and hold.

        :raises LiveError: AWS could not be read, or something there may be another owner's
        """
        found = self.traffic()
        if found.doubts:
            raise LiveError("; ".join(found.doubts))
        return replace(found, hold=self.hold())

    def traffic(self) -> Found:
        """Find the stack's rules and groups, and leave the hold aside: a rollback must not wait for SSM.

        What is marked with the stack's name and is, or may be, of another project is left out, and told in ``doubts``;
        so is whatever has tags that may not be read.
        Another project's load balancers are nothing to doubt: two projects may have one stack name.

        :raises LiveError: AWS could not be read
        """
        with failing_as(LiveError):
            denied: dict[str, ClientError] = {}
            balancers = self._pages("describe_load_balancers", "LoadBalancers")
            named = self._named(balancers, "LoadBalancerArn", denied)
            if denied and len(denied) == len(balancers):
                raise next(iter(denied.values()))
            projects = {project_of(tags) for _, tags in named} - {None, self._owner.project}
            arns: list[str] = []
            doubts = [_unread(arn, error) for arn, error in denied.items()]
            for balancer, tags in named:
                arn, project = balancer["LoadBalancerArn"], project_of(tags)
                if project == self._owner.project or (project is None and not projects):
                    arns.append(arn)
                elif project is None:
                    doubts.append(_untold(arn, self._owner, sorted(map(str, projects))))
            shared = [one for one in balancers if one["LoadBalancerName"] in self._owner.elsewhere]
            others = [one["LoadBalancerArn"] for one in shared]
            with threads(_AT_ONCE) as pool:
                rules, groups = pool.map(self._rules, arns), pool.map(self._groups, arns)
                theirs, with_theirs = pool.map(self._rules_among, others), pool.map(self._groups_among, others)
                seen, behind, among, beside = list(rules), list(groups), list(theirs), list(with_theirs)
            strangers = [doubt for _, found in (*seen, *behind) for doubt in found]
            unread = [doubt for *_, found in (*among, *beside) for doubt in found]
            return Found(
                rules={route: rule for found, *_ in (*seen, *among) for route, rule in found.items()},
                groups={arn: group for found, *_ in (*behind, *beside) for arn, group in found.items()},
                hold=None,
                listeners=[
                    replace(listener, vpc=balancer.get("VpcId", ""))
                    for balancer, (_, found, _) in zip(shared, among, strict=True)
                    for listener in found
                ],
                strangers={arn: group for _, found, _ in beside for arn, group in found.items()},
                doubts=(*doubts, *strangers, *unread),
            )

    def stands(self, rule: str) -> bool:
        """Tell whether there is a rule, by its ARN, whatever its tags are.

        :raises LiveError: AWS could not be read
        """
        with failing_as(LiveError):
            return bool(self._unless_gone("describe_rules", "Rules", RuleArns=[rule]))

    def unmarked(self, listener: str, groups: Collection[str]) -> list[str]:
        """Return a listener's rules, by ARN, that forward to any of the groups and that no tag shows to be a route's.

        :raises LiveError: AWS could not be read
        """
        with failing_as(LiveError):
            listed = self._unless_gone("describe_rules", "Rules", ListenerArn=listener)
            rules = {rule["RuleArn"]: rule for rule in listed if not rule["IsDefault"]}
            marked = {
                rule["RuleArn"] for rule, tags in self._named(list(rules.values()), "RuleArn") if ROUTE_TAG in tags
            }
            return [
                arn
                for arn, rule in rules.items()
                if arn not in marked and not forwarded(rule["Actions"]).keys().isdisjoint(groups)
            ]

    def listed(self) -> dict[str, dict[str, tuple[int, dict[str, str]]]]:
        """Return by the name of each load balancer of the stack the rules on its listener for requests.

        By ARN it is their priority and tags; those of somebody else have none.

        :raises LiveError: AWS could not be read
        """
        with failing_as(LiveError):
            found: dict[str, dict[str, tuple[int, dict[str, str]]]] = {}
            balancers = self._pages("describe_load_balancers", "LoadBalancers")
            for balancer, tags in self._named(balancers, "LoadBalancerArn"):
                arn = balancer["LoadBalancerArn"]
                listeners = self._unless_gone("describe_listeners", "Listeners", LoadBalancerArn=arn)
                if project_of(tags) not in {None, self._owner.project} or not listeners:
                    continue
                routed = max(listeners, key=lambda one: one["Port"])  # 80 sends to 443, where there is one
                listed = self._unless_gone("describe_rules", "Rules", ListenerArn=routed["ListenerArn"])
                rules = [rule for rule in listed if not rule["IsDefault"]]
                own = {rule["RuleArn"]: tags for rule, tags in self._named(rules, "RuleArn")}
                found[balancer["LoadBalancerName"]] = {
                    rule["RuleArn"]: (int(rule["Priority"]), own.get(rule["RuleArn"], {})) for rule in rules
                }
            return found

    def hold(self) -> Hold | None:
        """Return the hold, if there is one.

        :raises HoldError: what stands there is no hold
        :raises LiveError: AWS could not be read
        """
        with failing_as(LiveError):
            for name in hold_names(self._owner):
                with suppress(self._ssm.exceptions.ParameterNotFound):
                    value = self._ssm.get_parameter(Name=name)["Parameter"]["Value"]
                    break
            else:
                return None
        try:
            return hold_of(json.loads(value))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise HoldError(
                f"{name} in SSM is not a hold that this program wrote ({error}). Whoever wrote it "
                f"meant to stop all moves; to lift it: cutover release -s {self._owner.stack}"
            ) from error

    def probed(self, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Record | Unread | None]:
        """Return what probes saw last, by route and cluster; None where nobody has asked them."""
        return probe_records.read(self._ssm, self._owner, places)

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

    def _rules_among(self, balancer: str) -> tuple[dict[str, WeightedRule], list[Listener], list[str]]:
        """Return the stack's weighted rules on a load balancer of somebody else, its listeners, and what is unread."""
        found: dict[str, WeightedRule] = {}
        listeners: list[Listener] = []
        denied: dict[str, ClientError] = {}
        for one in self._unless_gone("describe_listeners", "Listeners", LoadBalancerArn=balancer):
            rules = self._unless_gone("describe_rules", "Rules", ListenerArn=one["ListenerArn"])
            named = [rule["RuleArn"] for rule in rules if not rule["IsDefault"]]
            tags = self._all_tags([balancer, one["ListenerArn"], *named], denied)
            listeners.append(listener_of(one, rules, tags, self._owner))
            for rule in listeners[-1].rules:
                if rule.route and not rule.cluster:
                    found[rule.route] = WeightedRule(rule.arn, balancer, rule.forwards, rule.instead)
        return found, listeners, [_unread(arn, error) for arn, error in denied.items()]

    def _groups_among(self, balancer: str) -> tuple[dict[str, TargetGroup], dict[str, TargetGroup], list[str]]:
        """Return the stack's target groups behind a load balancer of somebody else, the others, and what is unread."""
        denied: dict[str, ClientError] = {}
        groups = self._unless_gone("describe_target_groups", "TargetGroups", LoadBalancerArn=balancer)
        tags = self._all_tags([group["TargetGroupArn"] for group in groups], denied)
        own: dict[str, TargetGroup] = {}
        others: dict[str, TargetGroup] = {}
        for group in groups:
            arn, checked = group["TargetGroupArn"], group["HealthCheckEnabled"]
            marks = tags.get(arn, {})
            if self._owner.owns(marks) and {ROUTE_TAG, CLUSTER_TAG} <= marks.keys():
                own[arn] = TargetGroup(arn, marks[ROUTE_TAG], marks[CLUSTER_TAG], checked)
            else:
                others[arn] = TargetGroup(arn, "", group["TargetGroupName"], checked)
        return own, others, [_unread(arn, error) for arn, error in denied.items()]

    def _rules(self, balancer: str) -> tuple[dict[str, WeightedRule], list[str]]:
        found: dict[str, WeightedRule] = {}
        doubts: list[str] = []
        for listener in self._unless_gone("describe_listeners", "Listeners", LoadBalancerArn=balancer):
            rules = self._unless_gone("describe_rules", "Rules", ListenerArn=listener["ListenerArn"])
            own, others = self._own([rule for rule in rules if not rule["IsDefault"]], "RuleArn")
            doubts += others
            for rule, tags in own:
                if ROUTE_TAG in tags and CLUSTER_TAG not in tags:
                    weights = forwarded(rule["Actions"])
                    otherwise = "" if weights else instead(rule["Actions"])
                    found[tags[ROUTE_TAG]] = WeightedRule(rule["RuleArn"], balancer, weights, otherwise)
        return found, doubts

    def _groups(self, balancer: str) -> tuple[dict[str, TargetGroup], list[str]]:
        # AWS says of a load balancer without any that there is no such target group.
        groups = self._unless_gone("describe_target_groups", "TargetGroups", LoadBalancerArn=balancer)
        own, doubts = self._own(groups, "TargetGroupArn")
        return {
            group["TargetGroupArn"]: TargetGroup(
                group["TargetGroupArn"], tags[ROUTE_TAG], tags[CLUSTER_TAG], group["HealthCheckEnabled"]
            )
            for group, tags in own
            if ROUTE_TAG in tags and CLUSTER_TAG in tags
        }, doubts

    def _own(
        self, things: Sequence[dict[str, Any]], key: str
    ) -> tuple[list[tuple[dict[str, Any], dict[str, str]]], list[str]]:
        """Return the things on the stack's load balancer that are its own, with their tags, and doubts about others."""
        own: list[tuple[dict[str, Any], dict[str, str]]] = []
        denied: dict[str, ClientError] = {}
        named = self._named(things, key, denied)
        doubts = [_unread(arn, error) for arn, error in denied.items()]
        for thing, tags in named:
            project = project_of(tags)
            if project in {None, self._owner.project}:
                own.append((thing, tags))
            else:
                doubts.append(
                    f"{thing[key]} stands on a load balancer of {self._owner} and is marked as that of "
                    f"{project}/{self._owner.stack}. Two programs would move one listener's requests. Take it away, or "
                    "mend its tags"
                )
        return own, doubts

    def _named(
        self, things: Sequence[dict[str, Any]], key: str, denied: dict[str, ClientError] | None = None
    ) -> list[tuple[dict[str, Any], dict[str, str]]]:
        """Return the things that the stack's name is on, with their tags. What is gone meanwhile is left out.

        What may not be read fails all, unless ``denied`` takes it, by ARN.
        """
        tags = self._all_tags([thing[key] for thing in things], denied)
        return [(thing, tags[thing[key]]) for thing in things if self._owner.named_by(tags.get(thing[key], {}))]

    def _all_tags(self, arns: Sequence[str], denied: dict[str, ClientError] | None) -> dict[str, dict[str, str]]:
        tags: dict[str, dict[str, str]] = {}
        for start in range(0, len(arns), TAGS_PER_CALL):
            tags |= self._tags(arns[start : start + TAGS_PER_CALL], denied)
        return tags

    def _tags(self, arns: Sequence[str], denied: dict[str, ClientError] | None) -> dict[str, dict[str, str]]:
        """Return tags by ARN. One thing that is gone fails the whole call: so the others are asked for without it."""
        try:
            answer = self._elb.describe_tags(ResourceArns=arns)
        except ClientError as error:
            forbidden = denied is not None and denied_by(error)
            if not gone(error) and not forbidden:
                raise
            if middle := len(arns) // 2:
                return {**self._tags(arns[:middle], denied), **self._tags(arns[middle:], denied)}
            if denied is not None and forbidden:
                denied[arns[0]] = error
            return {}
        return {
            one["ResourceArn"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]} for one in answer["TagDescriptions"]
        }

    def _unless_gone(self, call: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        """Return what is listed of a thing, and nothing where that is gone."""
        try:
            return self._pages(call, key, **arguments)
        except ClientError as error:
            if not gone(error):
                raise
            return []

    def _pages(self, call: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        pages = self._elb.get_paginator(call).paginate(**arguments)
        return [thing for page in pages for thing in page[key]]


def gone(error: ClientError) -> bool:
    """Tell whether ELB says that something asked for does not exist: a load balancer, a rule, a group, a listener."""
    return error.response.get("Error", {}).get("Code", "").endswith("NotFound")


def denied_by(error: ClientError) -> bool:
    """Tell whether IAM has refused what was asked."""
    return error.response.get("Error", {}).get("Code", "") in {"AccessDenied", "AccessDeniedException"}


def _unread(arn: str, error: ClientError) -> str:
    return (
        f"the tags of {arn} may not be read ({told(error)}), so nothing tells whether it is the stack's, and it is "
        "left out. Let the role call elasticloadbalancing:DescribeTags on it"
    )


def _untold(arn: str, owner: Owner, others: Sequence[str]) -> str:
    return (
        f"{arn} is marked with the stack's name {owner.stack} and with no project, and {', '.join(others)} has a stack "
        f"of that name in this account too: nothing tells whose it is, and it could be moved by the wrong one. Tag it, "
        f"if it is this project's: aws elbv2 add-tags --resource-arns {arn} --tags "
        f"Key={PROJECT_TAG},Value={owner.project}"
    )


def dimensions(balancer: str, group: str | None = None) -> list[dict[str, str]]:
    """Return what CloudWatch calls a load balancer, or a target group behind it, both by their ARNs."""
    of_group = [{"Name": "TargetGroup", "Value": group.rsplit(":", 1)[-1]}] if group else []
    return [*of_group, {"Name": "LoadBalancer", "Value": balancer.rsplit(":loadbalancer/", 1)[-1]}]
