"""A route: per cluster a target group and a preview rule, and one weighted rule over all of them.

Owns the order of the rules on a listener. Refuses to know Kubernetes, and whether new weights are safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from components.authentication import authenticated
from components.conditions import conditions
from components.tags import own_tags
from settings.conditions import narrowed
from settings.owner import CLUSTER_TAG, ROUTE_TAG
from settings.values import order_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

    from settings.operation import Preview
    from settings.priorities import Places
    from settings.routes import Route as RouteSettings
    from settings.routes import Stickiness


# A target is always registered with a port of its own, so the group's port is a default that nothing uses. It is the
# same for every route, because a change of it would replace the group.
_UNUSED_PORT = 80


@dataclass(frozen=True, kw_only=True)
class RouteArgs:
    """A route over clusters: ``weights`` has every cluster, ``serving`` those that its weighted rule sends requests.

    ``places`` are those that are the stack's on the listener. ``gives_back`` is whether somebody else's rule answers
    there when the weighted one is gone: whether it may go is then for the gate alone to say. ``previewed`` are the
    clusters that have a preview rule, which is all of them but while the route is taken over. ``names`` are of target
    groups that keep one name for good, ``tags`` what theirs are tagged with besides, both by cluster.
    """

    route: RouteSettings
    weights: Mapping[str, int]
    serving: Set[str]
    preview: Preview
    previewed: Set[str]
    listener_arn: pulumi.Input[str]
    places: Places
    gives_back: bool
    names: Mapping[str, str]
    tags: Mapping[str, Mapping[str, str]]
    vpc_id: pulumi.Input[str]


class Route(pulumi.ComponentResource):
    """The rules and target groups of a route. What serves is protected: a program that drops it fails its preview."""

    target_group_arns: dict[str, pulumi.Output[str]]
    preview_rules: dict[str, aws.lb.ListenerRule]
    rule_arn: pulumi.Output[str | None]
    weights: pulumi.Output[dict[str, int]]

    def __init__(self, name: str, args: RouteArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:route:Route", name, None, opts)
        self._name, self._args = name, args
        self.target_group_arns = {cluster: self._target_group(cluster) for cluster in args.weights}
        self.preview_rules = {
            cluster: self._preview_rule(cluster) for cluster in args.weights if cluster in args.previewed
        }
        if args.route.live:
            rule = self._weighted_rule()
            self.rule_arn = rule.arn
            # From the rule, not from the settings: after an update with --target the settings are not what is live.
            self.weights = pulumi.Output.all(
                # Beside the secret of a login they are a secret themselves, to the engine, and no secret.
                pulumi.Output.unsecret(rule.actions.apply(_weight_by_arn)),
                self.target_group_arns,
            ).apply(lambda both: {cluster: both[0].get(arn, 0) for cluster, arn in both[1].items()})
        else:
            self.rule_arn, self.weights = pulumi.Output.from_input(None), pulumi.Output.from_input({})
        self.register_outputs({"ruleArn": self.rule_arn, "weights": self.weights})

    def _target_group(self, cluster: str) -> pulumi.Output[str]:
        route, check = self._args.route, self._args.route.health_check
        grpc, name = route.protocol_version == "GRPC", self._args.names.get(cluster)
        return aws.lb.TargetGroup(
            f"{self._name}-{cluster}",
            name=name,
            vpc_id=self._args.vpc_id,
            port=_UNUSED_PORT,
            protocol=route.protocol,
            protocol_version=route.protocol_version,
            target_type=route.target_type,
            deregistration_delay=route.deregistration_delay,
            slow_start=route.slow_start,
            load_balancing_algorithm_type=route.algorithm,
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                enabled=True,
                path=check.path,
                matcher=check.matcher or ("0" if grpc else "200"),
                interval=check.interval,
                timeout=check.timeout,
                healthy_threshold=check.healthy_threshold,
                unhealthy_threshold=check.unhealthy_threshold,
                port=str(check.port) if check.port else "traffic-port",
                protocol=check.protocol or route.protocol,
            ),
            tags={**self._tags(cluster), **self._args.tags.get(cluster, {})},
            opts=ResourceOptions(
                parent=self,
                protect=cluster in self._args.serving,
                # Beside one of its name there is no room for what replaces it.
                delete_before_replace=bool(name),
                # One that was imported keeps what AWS never changes of it, and nothing here depends on.
                ignore_changes=["port"] if name else ["name", "port"],
            ),
        ).arn

    def _preview_rule(self, cluster: str) -> aws.lb.ListenerRule:
        preview = self._args.preview
        value: pulumi.Input[str] = cluster
        if preview.secret:
            value = pulumi.Output.secret(f"{cluster}.{preview.secret.get_secret_value()}")
        header = aws.lb.ListenerRuleConditionHttpHeaderArgs(http_header_name=preview.header, values=[value])
        route = self._args.route
        asked = conditions(route, ())
        asked.append(aws.lb.ListenerRuleConditionArgs(http_header=header))
        # Who may preview is narrower than whom the route answers: ELB takes one condition on the source.
        if sources := narrowed(route.source_cidrs, preview.source_cidrs):
            source = aws.lb.ListenerRuleConditionSourceIpArgs(values=sources)
            asked.append(aws.lb.ListenerRuleConditionArgs(source_ip=source))
        return aws.lb.ListenerRule(
            f"{self._name}-{cluster}-preview",
            listener_arn=self._args.listener_arn,
            priority=self._args.places.preview(self._args.route.priority, cluster),
            conditions=asked,
            # Never sticky: the cookie would keep a browser that previewed a cluster on it, against the weights.
            actions=authenticated(self._forward({cluster: 1}, None), route.authenticate),
            tags=self._tags(cluster),
            opts=ResourceOptions(parent=self, protect=cluster in self._args.serving),
        )

    def _weighted_rule(self) -> aws.lb.ListenerRule:
        route = self._args.route
        return aws.lb.ListenerRule(
            f"{self._name}-weighted",
            listener_arn=self._args.listener_arn,
            priority=self._args.places.weighted(route.priority),
            conditions=conditions(route, route.source_cidrs),
            actions=authenticated(self._forward(self._args.weights, route.stickiness), route.authenticate),
            tags=self._tags(),
            opts=ResourceOptions(parent=self, protect=not self._args.gives_back),
        )

    def _forward(self, weights: Mapping[str, int], sticky: Stickiness | None) -> aws.lb.ListenerRuleActionArgs:
        return aws.lb.ListenerRuleActionArgs(
            type="forward",
            forward=aws.lb.ListenerRuleActionForwardArgs(
                target_groups=[
                    aws.lb.ListenerRuleActionForwardTargetGroupArgs(
                        arn=self.target_group_arns[cluster], weight=weights[cluster]
                    )
                    for cluster in sorted(weights, key=order_of)
                ],
                # Said even when off: ELB answers with a duration of its own, which a refresh would take for a change.
                stickiness=aws.lb.ListenerRuleActionForwardStickinessArgs(
                    enabled=sticky is not None, duration=sticky.duration if sticky else 1
                ),
            ),
        )

    def _tags(self, cluster: str | None = None) -> dict[str, str]:
        tags = {**own_tags(), ROUTE_TAG: self._name}
        return {**tags, CLUSTER_TAG: cluster} if cluster else tags


def _weight_by_arn(actions: Sequence[aws.lb.outputs.ListenerRuleAction]) -> dict[str, int]:
    forwards = [action.forward for action in actions if action.forward]
    return {group.arn: int(group.weight or 0) for forward in forwards for group in forward.target_groups}
