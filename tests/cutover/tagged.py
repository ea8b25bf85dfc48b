"""A stack's rules and target groups in an emulated AWS, tagged as the program tags them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutover.aws.hold import hold_name
from rehearsal.cloud.targets import Targets
from settings.owner import CLUSTER_TAG, ROUTE_TAG, Owner
from tests.conftest import PROJECT
from tests.rehearsal.emulated import REGION

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    import pytest

    from tests.rehearsal.emulated import Cloud

STACK = "dev"
OWNER = Owner(PROJECT, STACK)


@dataclass(frozen=True)
class Tagged:
    """The stack: rules by route, target groups by route and cluster."""

    cloud: Cloud
    rules: dict[str, str]
    groups: Mapping[tuple[str, str], str]

    def weights(self) -> dict[str, dict[str, int]]:
        """Return the weights in AWS by route and cluster."""
        clusters = {arn: cluster for (_, cluster), arn in self.groups.items()}
        rules = self.cloud.client("elbv2").describe_rules(RuleArns=list(self.rules.values()))["Rules"]
        actions = {rule["RuleArn"]: rule["Actions"][-1]["ForwardConfig"]["TargetGroups"] for rule in rules}
        return {
            route: {clusters[group["TargetGroupArn"]]: group["Weight"] for group in actions[arn]}
            for route, arn in self.rules.items()
        }

    def set_weights(self, route: str, weights: Mapping[str, int]) -> None:
        """Give a route's rule weights by cluster, as somebody else would."""
        groups = [
            {"TargetGroupArn": self.groups[route, cluster], "Weight": weight} for cluster, weight in weights.items()
        ]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        self.cloud.client("elbv2").modify_rule(RuleArn=self.rules[route], Actions=[action])

    def close(self, route: str) -> None:
        """Let a route's rule answer with a maintenance page, as somebody does; its groups stay attached, as by drop."""
        self._keep_attached(route)
        page = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
        self.cloud.client("elbv2").modify_rule(RuleArn=self.rules[route], Actions=[page])

    def drop(self, route: str) -> None:
        """Delete a route's rule, as somebody does by hand; its groups stay attached, as by their preview rules."""
        self._keep_attached(route)
        self.cloud.client("elbv2").delete_rule(RuleArn=self.rules.pop(route))

    def _keep_attached(self, route: str) -> None:
        elb = self.cloud.client("elbv2")
        (rule,) = elb.describe_rules(RuleArns=[self.rules[route]])["Rules"]
        header = {"HttpHeaderName": "X-Cutover-Cluster", "Values": ["any"]}
        condition = {"Field": "http-header", "HttpHeaderConfig": header}
        priority = 1000 + int(rule["Priority"])
        elb.create_rule(
            ListenerArn=self.cloud.listener, Priority=priority, Conditions=[condition], Actions=rule["Actions"]
        )

    def heal(self, cluster: str, count: int, route: str = "") -> None:
        """Let ``count`` healthy targets stand in the groups of a cluster, or in that of one route."""
        targets = Targets(self.cloud.store)
        for (name, of), arn in self.groups.items():
            if of == cluster and route in ("", name):
                targets.forget(arn)
                targets.register(arn, [(f"i-{index}", 30080, "") for index in range(count)])
                for index in range(count):
                    targets.set_state(arn, f"i-{index}", 30080, "healthy")


@contextmanager
def tagged(cloud: Cloud, routes: Sequence[str], weights: Mapping[str, int], owner: Owner = OWNER) -> Generator[Tagged]:
    """Yield a stack whose routes all have these weights by cluster; afterwards nothing is the stack's any more."""
    elb = cloud.client("elbv2")
    _tag(cloud, owner, cloud.balancer)
    rules: dict[str, str] = {}
    groups: dict[tuple[str, str], str] = {}
    for priority, route in enumerate(routes, 1):
        for cluster in weights:
            groups[route, cluster] = cloud.group()
            _tag(cloud, owner, groups[route, cluster], {ROUTE_TAG: route, CLUSTER_TAG: cluster})
        action = {
            "Type": "forward",
            "ForwardConfig": {
                "TargetGroups": [
                    {"TargetGroupArn": groups[route, cluster], "Weight": weight} for cluster, weight in weights.items()
                ],
                "TargetGroupStickinessConfig": {"Enabled": False, "DurationSeconds": 1},
            },
        }
        path = {"Field": "path-pattern", "Values": [f"/{route}"]}
        made = elb.create_rule(ListenerArn=cloud.listener, Priority=priority, Conditions=[path], Actions=[action])
        rules[route] = made["Rules"][0]["RuleArn"]
        _tag(cloud, owner, rules[route], {ROUTE_TAG: route})
    yield Tagged(cloud, rules, groups)
    # The account outlives a test: moto keeps it for the whole process.
    elb.remove_tags(ResourceArns=[cloud.balancer], TagKeys=list(owner.tags))
    cloud.client("ssm").delete_parameters(Names=[hold_name(owner)])


def reach(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let boto3's default sessions reach the emulated AWS, and nothing else."""
    for name, value in {
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "somebody",
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def _tag(cloud: Cloud, owner: Owner, arn: str, tags: Mapping[str, str] | None = None) -> None:
    wanted = {**owner.tags, **(tags or {})}
    cloud.client("elbv2").add_tags(
        ResourceArns=[arn], Tags=[{"Key": key, "Value": value} for key, value in wanted.items()]
    )
