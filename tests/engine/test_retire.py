"""A cluster taken away by `cutover retire`, as a user would, on the real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from cutover.run import watch
from rehearsal import stackfile
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.kubernetes.cluster import Cluster, set_reachable
from rehearsal.sandbox import Sandbox
from rehearsal.targets import Targets

if TYPE_CHECKING:
    from rehearsal.engine import Engine
    from rehearsal.stackfile import Config


def test_a_cluster_at_0_whose_api_is_dead_is_retired_and_leaves_nothing_in_file_and_plan(
    pulumi_engine: Engine,
) -> None:
    with Sandbox(pulumi_engine, PROGRAM, zones=ZONES) as sandbox:
        stackfile.edit(sandbox.project, "dev", _all_on_the_new)
        stack = sandbox.stack("dev")
        assert not watch(stack.up).failure
        targets, elb = Targets(sandbox.store), sandbox.aws("elbv2")
        for group in elb.describe_target_groups()["TargetGroups"]:
            for node in ("i-00000001", "i-00000002"):
                targets.register(group["TargetGroupArn"], [(node, 30080, "")])
                targets.set_state(group["TargetGroupArn"], node, 30080, "healthy")
        inside = Cluster(sandbox.store, "dev-v1-35")
        shop = {"metadata": {"namespace": "web", "name": "shop"}, "spec": {"type": "LoadBalancer"}}
        inside.put("Service", "web", "shop", shop)

        used = sandbox.cutover("retire", "v1-35", "-s", "dev", "--confirm", "v1-35")
        assert used.returncode == 1, used.stderr
        assert "web/shop" in used.stderr
        assert "unreachable" not in used.stderr
        inside.delete("Service", "web", "shop")

        set_reachable(sandbox.store, "dev-v1-35", reachable=False)
        refused = sandbox.cutover("retire", "v1-35", "-s", "dev", "--confirm", "v1-35")
        assert refused.returncode == 1, refused.stderr
        assert "--acknowledge unreachable" in refused.stderr
        assert "v1-35" in stackfile.read(sandbox.project, "dev")["eks-cutover:clusters"]

        retired = sandbox.cutover("retire", "v1-35", "-s", "dev", "--confirm", "v1-35", "-a", "unreachable")
        assert retired.returncode == 0, retired.stderr
        assert "aws appmesh delete-mesh --mesh-name dev-v1-35" in retired.stdout
        document = yaml.safe_load((sandbox.project / "Pulumi.dev.yaml").read_text())
        assert document["config"]["eks-cutover:weights"] == {"v1-36": 100}
        assert list(document["config"]["eks-cutover:clusters"]) == ["v1-36"]
        assert sandbox.aws("eks").list_clusters()["clusters"] == ["dev-v1-36"]
        assert watch(stack.preview).steps == ()


def _all_on_the_new(config: Config) -> None:
    config["eks-cutover:weights"] = {"v1-35": 0, "v1-36": 100}
    config["eks-cutover:clusters"]["v1-35"]["deletionProtection"] = True
    config["eks-cutover:retirement"] = {"soakHours": 0}
    for route in config["eks-cutover:routes"].values():
        route["deregistrationDelay"] = 0
