"""Records the plans beside this file anew: `python -m tests.cutover.plans.record`, a few minutes on the real engine.

Owns the edits, and the stacks that they are made on. Refuses to own what a plan is worth (test_judgement.py).
"""

from __future__ import annotations

import copy
import shlex
import shutil
import sys
from typing import TYPE_CHECKING, Any

from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.cloud.targets import Targets
from rehearsal.engine import executable
from rehearsal.engine.sandbox import Sandbox
from rehearsal.play import stackfile
from tests.cutover.plans import keep
from tests.engine.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rehearsal.play.stackfile import Config

    Edit = Callable[[Config], None]


def main() -> None:
    """Record the plans on the stacks that the command line names, or on both."""
    for name in sys.argv[1:] or ("dev", "prod"):
        with Sandbox(executable.find(), PROGRAM, zones=ZONES) as sandbox:
            {"dev": _dev, "prod": _prod}[name](Standing(sandbox, name, sandbox.stack(name)))


def _dev(dev: Standing) -> None:
    """Plans on a stack with 99 on the old cluster and 1 on the new one, and then with all on the new one."""
    _stand(dev, _nothing)
    for name, edit in {
        "nothing": _nothing,
        "shift": _weights(50, 50),
        "shift-one-route": _route("web", weights={"v1-35": 50, "v1-36": 50}),
        "shift-all": _weights(0, 100),
        "cluster-at-0": _new_cluster(0),
        "cluster-at-10": _new_cluster(10),
        "serving-cluster-removed": _without("clusters", "v1-35", weights={"v1-36": 100}),
        "version-edited": _cluster("v1-35", version="1.36"),
        "addon": _addons("v1-35", vpcCni="v1.21.1-eksbuild.1"),
        "controller": _cluster("v1-35", controllers={"loadBalancer": "3.5.1", "appMesh": "1.13.3"}),
        "nodes-replaced": _nodes("v1-35", instanceTypes=["m7i.xlarge"]),
        "shift-and-addon": _both(_weights(50, 50), _addons("v1-36", coredns="v1.13.2-eksbuild.1")),
        "shift-and-listener": _both(_weights(50, 50), _names("app", "grpc", "api")),
        "name-added": _names("app", "grpc", "api"),
        "name-removed": _names("app"),
        "zone-added": _network(zones=["ap-northeast-1a", "ap-northeast-1c", "ap-northeast-1d"]),
        "nat-per-zone": _network(natGateways="perZone"),
        "tags": lambda config: config.update({"aws:defaultTags": {"tags": {"team": "traffic"}}}),
        "target-type": _route("web", targetType="ip"),
        "service-port": _route("web", service={"namespace": "web", "name": "web", "port": 8080}),
        "health-check": _route("web", healthCheck={"path": "/ready"}),
        "hosts": _route("web", hosts=["app.example.com", "grpc.example.com"]),
        "sticky": _route("web", stickiness={"duration": 3600}),
        "priority": _route("web", priority=7),
        "route-removed": _without("routes", "web"),
        "route-not-live": _route("web", live=False),
        "route-added": _new_route(live=True),
        "idle-route-added": _new_route(live=False),
        "attribute": lambda config: config["eks-cutover:serviceDiscovery"].update(attributes={"env": "test"}),
        "cloud-map-service-added": _cloud_map("orders"),
        "cloud-map-namespace": lambda config: config["eks-cutover:serviceDiscovery"].update(namespace="b.example.com"),
    }.items():
        _keep(dev, name, edit)
    for name, file, old, new in (
        ("protect-lifted", "wiring.py", "protect = settings.serving(key) or", "protect = False and"),
        ("rule-protect-lifted", "components/route.py", "parent=self, protect=True", "parent=self, protect=False"),
    ):
        _with_code(dev, name, file, old, new)
    _with_silent_provider(dev, "unknown-diff", "diffs")
    _with_silent_provider(dev, "coarse-diff")

    _stand(dev, _new_route(live=False))
    _keep(dev, "idle-route-removed", _without("routes", "extra"))
    _stand(dev, _without("routes", "extra"))
    _stand(dev, _weights(0, 100))
    _keep(dev, "retire", _without("clusters", "v1-35", weights={"v1-36": 100}))
    _keep(
        dev, "retire-and-build", _both(_new_cluster(0), _without("clusters", "v1-35", weights={"v1-36": 1, "v1-37": 0}))
    )
    _keep(dev, "shift-back", _weights(100, 0))
    _heal(dev, "v1-36", 4)
    _keep(dev, "shift-refused", _weights(50, 50))


def _prod(prod: Standing) -> None:
    """Plans on a stack with 100 on the old cluster and 0 on the new one, both under deletion protection."""
    _stand(prod, _nothing)
    for name, edit in {
        "prod-shift": _weights(90, 10),
        "prod-addon-of-idle": _addons("v1-36", coredns="v1.13.2-eksbuild.1"),
        "prod-retire-protected": _without("clusters", "v1-36", weights={"v1-35": 100}),
        "prod-unprotect": _cluster("v1-36", deletionProtection=False),
        "prod-route-moved": _route("orders", loadBalancer="public", priority=2),
        "prod-pod-port": _route("web", service={"namespace": "web", "name": "web", "port": 80, "podPort": 8081}),
        "prod-ingress": lambda config: config["eks-cutover:loadBalancers"]["public"].update(
            ingressCidrs=["203.0.113.0/24"]
        ),
    }.items():
        _keep(prod, name, edit)
    _stand(prod, _cluster("v1-36", deletionProtection=False))
    _keep(prod, "prod-retire", _without("clusters", "v1-36", weights={"v1-35": 100}))


def _stand(standing: Standing, edit: Edit) -> None:
    stackfile.edit(standing.sandbox.project, standing.name, edit)
    run = standing.up()
    if run.failure:
        sys.exit(run.failure)


def _keep(standing: Standing, name: str, edit: Edit) -> None:
    with standing.edited(edit):
        run = keep(name, standing.stack.preview, standing.sandbox)
    sys.stdout.write(f"{name}: {run.summary()}{' REFUSED' if run.failure else ''}\n")
    sys.stdout.flush()


def _with_code(standing: Standing, name: str, file: str, old: str, new: str) -> None:
    """Keep the plan of an edit of the program itself."""
    source, top = PROGRAM / file, standing.sandbox.project / file.split("/", maxsplit=1)[0]
    top.unlink()
    if source.parent == PROGRAM:
        shutil.copy(source, top)
    else:
        shutil.copytree(source.parent, top, ignore=shutil.ignore_patterns("__pycache__"))
    edited, text = standing.sandbox.project / file, source.read_text()
    if old not in text:
        sys.exit(f"{file} no longer says: {old}")
    edited.write_text(text.replace(old, new))
    try:
        _keep(standing, name, _nothing)
    finally:
        _remove(top)
        top.symlink_to(PROGRAM / top.name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _with_silent_provider(standing: Standing, name: str, *more: str) -> None:
    """Keep the plan of a shift whose provider says that a rule differs, and neither which values nor ``more``."""
    forgotten = ["detailedDiff", "hasDetailedDiff", *more]
    program = (
        "import runpy, rehearsal.plugin as plugin\n"
        "tell = plugin._diff_response\n"
        f"def silent(diff):\n said = tell(diff)\n [said.ClearField(f) for f in {forgotten}]\n return said\n"
        "plugin._diff_response = silent\n"
        "runpy.run_module('rehearsal.plugins.aws', run_name='__main__')\n"
    )
    (plugin,) = (standing.sandbox.folder / "pulumi" / "plugins").glob("resource-aws-*/pulumi-resource-aws")
    before = plugin.read_text()
    python, repository, code = shlex.quote(sys.executable), shlex.quote(str(PROGRAM)), shlex.quote(program)
    plugin.write_text(f'#!/bin/sh\nPYTHONPATH={repository} exec {python} -P -c {code} "$@"\n')
    try:
        _keep(standing, name, _weights(50, 50))
    finally:
        plugin.write_text(before)


def _heal(standing: Standing, cluster: str, count: int) -> None:
    targets = Targets(standing.sandbox.store)
    for group in standing.sandbox.aws("elbv2").describe_target_groups()["TargetGroups"]:
        if cluster in group["TargetGroupName"]:
            arn = group["TargetGroupArn"]
            targets.forget(arn)
            targets.register(arn, [(f"i-{index}", 30080, "") for index in range(count)])
            for index in range(count):
                targets.set_state(arn, f"i-{index}", 30080, "healthy")


def _nothing(config: Config) -> None:
    pass


def _both(*edits: Edit) -> Edit:
    def edit(config: Config) -> None:
        for one in edits:
            one(config)

    return edit


def _weights(old: int, new: int) -> Edit:
    return lambda config: config.update({"eks-cutover:weights": {"v1-35": old, "v1-36": new}})


def _new_cluster(weight: int) -> Edit:
    def edit(config: Config) -> None:
        clusters, key = config["eks-cutover:clusters"], "v1-37"
        clusters[key] = {**copy.deepcopy(clusters["v1-36"]), "version": "1.37"}
        config["eks-cutover:weights"][key] = weight

    return edit


def _without(part: str, key: str, weights: dict[str, int] | None = None) -> Edit:
    def edit(config: Config) -> None:
        del config[f"eks-cutover:{part}"][key]
        if weights is not None:
            config["eks-cutover:weights"] = weights

    return edit


def _new_route(*, live: bool) -> Edit:
    def edit(config: Config) -> None:
        routes = config["eks-cutover:routes"]
        routes["extra"] = {**copy.deepcopy(routes["web"]), "priority": 3, "hosts": ["extra.example.com"], "live": live}

    return edit


def _cluster(key: str, **values: Any) -> Edit:
    return lambda config: config["eks-cutover:clusters"][key].update(values)


def _addons(key: str, **values: Any) -> Edit:
    return lambda config: config["eks-cutover:clusters"][key]["addons"].update(values)


def _nodes(key: str, **values: Any) -> Edit:
    return lambda config: config["eks-cutover:clusters"][key]["nodes"].update(values)


def _route(name: str, **values: Any) -> Edit:
    return lambda config: config["eks-cutover:routes"][name].update(values)


def _network(**values: Any) -> Edit:
    return lambda config: config["eks-cutover:network"].update(values)


def _names(*names: str) -> Edit:
    wanted = [f"{name}.example.com" for name in names]
    return lambda config: config["eks-cutover:loadBalancers"]["public"].update(names=wanted)


def _cloud_map(service: str) -> Edit:
    return lambda config: config["eks-cutover:serviceDiscovery"]["services"].update({service: {}})


if __name__ == "__main__":
    main()
