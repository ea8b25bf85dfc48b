"""A stack that stands on the real engine, and what a test does to it: preview an edit, or apply one."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cutover.aws.probe_records import record_name
from cutover.engine.run import watch
from cutover.rules.probes import Record, asks
from rehearsal.cloud.targets import Targets
from rehearsal.play import stackfile
from rehearsal.play.beforehand import opened
from rehearsal.play.brownfield import tags_of
from rehearsal.world.metrics import NAMESPACE, past
from settings import parse
from settings.owner import CLUSTER_TAG, ROUTE_TAG
from tests.conftest import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pulumi.automation import Stack

    from cutover.rules.run import Run
    from rehearsal.engine.sandbox import Sandbox


@dataclass(frozen=True)
class Standing:
    """A stack of the rehearsal that stands as its stack file says, and whose file a test may edit for a while."""

    sandbox: Sandbox
    name: str
    stack: Stack

    @contextmanager
    def edited(self, change: Callable[[stackfile.Config], None]) -> Generator[None]:
        """Change the stack file for the length of a block."""
        path = self.sandbox.project / f"Pulumi.{self.name}.yaml"
        before = path.read_text()
        try:
            stackfile.edit(self.sandbox.project, self.name, change)
            yield
        finally:
            path.write_text(before)

    def preview(self, change: Callable[[stackfile.Config], None] = lambda _: None) -> Run:
        """Preview an edit of the stack file, and leave the file as it was."""
        with self.edited(change):
            return watch(self.stack.preview)

    def up(self, change: Callable[[stackfile.Config], None] = lambda _: None) -> Run:
        """Apply an edit of the stack file, and leave the file as it was."""
        with self.edited(change):
            return watch(self.stack.up)

    def heal(self, count: int, cluster: str = "", route: str = "") -> None:
        """Let so many healthy targets stand in all groups, or those of a cluster or a route, which nobody has asked.

        Without requests the gate counts targets alone.
        """
        targets, past_of = Targets(self.sandbox.store), list[dict[str, Any]]()
        groups = self.groups()
        every = tags_of(self.sandbox.aws("elbv2"), [group["TargetGroupArn"] for group in groups])
        for group in groups:
            arn = group["TargetGroupArn"]
            tags = every[arn]
            if cluster in {"", tags[CLUSTER_TAG]} and route in {"", tags[ROUTE_TAG]}:
                targets.forget(arn)
                targets.register(arn, [(f"i-{index}", 30080, "") for index in range(count)])
                for index in range(count):
                    targets.set_state(arn, f"i-{index}", 30080, "healthy")
            past_of += past(group["LoadBalancerArns"][0], arn, 4, [0.0], datetime.now(UTC))
        self.sandbox.aws("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=past_of)

    def answered(self, cluster: str) -> None:
        """Let somebody have seen just now that a cluster answers the probes of all routes."""
        known = parse(opened(self.config), PROJECT, self.name)
        for route in [name for name, one in known.routes.items() if one.probes]:
            record = Record(
                who="sre@inside",
                when=datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
                asks=asks(known, route),
                failed="",
                version="",
            )
            self.sandbox.aws("ssm").put_parameter(
                Name=record_name(known.owner, route, cluster),
                Value=json.dumps(asdict(record)),
                Type="String",
                Overwrite=True,
            )

    def live(self) -> dict[str, dict[str, int]]:
        """Return what AWS has: the weight of every cluster in the weighted rule of every route."""
        found: dict[str, dict[str, int]] = {}
        rules, groups = self.rules(), [group["TargetGroupArn"] for group in self.groups()]
        clusters = tags_of(self.sandbox.aws("elbv2"), [*groups, *(rule["RuleArn"] for rule in rules)])
        for rule in rules:
            tags = clusters[rule["RuleArn"]]
            if ROUTE_TAG in tags and CLUSTER_TAG not in tags:
                groups = rule["Actions"][-1]["ForwardConfig"]["TargetGroups"]
                found[tags[ROUTE_TAG]] = {
                    clusters[group["TargetGroupArn"]][CLUSTER_TAG]: group["Weight"] for group in groups
                }
        return found

    def groups(self) -> list[dict[str, Any]]:
        """Return all target groups, as AWS describes them; one that is being replaced stands beside the new one."""
        return self.sandbox.aws("elbv2").describe_target_groups()["TargetGroups"]

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules of all listeners, as AWS describes them."""
        elb = self.sandbox.aws("elbv2")
        listeners = [
            listener["ListenerArn"]
            for balancer in elb.describe_load_balancers()["LoadBalancers"]
            for listener in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        ]
        return [rule for listener in listeners for rule in elb.describe_rules(ListenerArn=listener)["Rules"]]

    def unprotect(self, route: str) -> None:
        """Lift the protection from what belongs to a route, as the README tells for one that is to go."""
        for resource in (self.stack.export_stack().deployment or {})["resources"]:
            if resource["urn"].split("::")[3].startswith(f"{route}-") and resource.get("protect"):
                said = self.sandbox.pulumi("state", "unprotect", "--yes", "-s", self.name, resource["urn"])
                assert said.returncode == 0, said.stdout

    @property
    def config(self) -> stackfile.Config:
        """The configuration as it stands in the file."""
        return stackfile.read(self.sandbox.project, self.name)
