"""A whole migration, step by step, on the real engine: the old cluster alone, the new one beside it, the old one gone.

Owns the steps and what each may touch. Refuses to own the emulated AWS (sandbox.py) and how progress is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rehearsal import stackfile
from rehearsal.run import Run, watch
from settings.fields import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rehearsal.run import Step
    from rehearsal.sandbox import Sandbox
    from rehearsal.stackfile import Config

LISTENER_RULE = "aws:lb/listenerRule:ListenerRule"
SHARES = (1, 10, 50, 100)


@dataclass(frozen=True)
class Act:
    """One step of a migration: what the stack file becomes, and what the plan may touch when it is applied."""

    title: str
    edit: Callable[[Config], None]
    faults: Callable[[Run], list[str]]


@dataclass(frozen=True)
class Outcome:
    """How an act went. ``faults`` is empty when everything held that the act promises.

    ``same_for_clients`` tells whether load balancers and DNS records are still those of the first act.
    """

    title: str
    run: Run
    faults: tuple[str, ...]
    same_for_clients: bool


def rehearse(sandbox: Sandbox, stack_name: str) -> Iterator[Outcome]:
    """Migrate from the oldest to the newest cluster of a stack file, and yield how each act went.

    Ends after the first act with faults: what would follow would rest on them.
    """
    stack = sandbox.stack(stack_name)
    before = None
    for act in acts(stackfile.read(sandbox.project, stack_name)):
        stackfile.edit(sandbox.project, stack_name, act.edit)
        run = watch(stack.up)
        faults = [run.failure] if run.failure else act.faults(run)
        now = shared_objects(sandbox)
        before = before or now
        if now != before:
            faults.append(f"load balancers or DNS records are not those of the start: {before} became {now}")
        yield Outcome(act.title, run, tuple(faults), same_for_clients=now == before)
        if faults:
            return


def acts(config: Config) -> list[Act]:
    """Return the acts that lead from the oldest to the newest cluster of a stack file."""
    clusters = config["eks-cutover:clusters"]
    old, *_, new = sorted(clusters, key=version_of)
    protected = clusters[old].get("deletionProtection", False)
    return [
        Act(f"{old} alone", _only(old, {old: 100}), lambda _: []),
        Act(f"{new} beside it at 0", _restore(new, clusters[new], {old: 100, new: 0}), _adds_only(old)),
        *(Act(f"{new} at {share}", _weights({old: 100 - share, new: share}), _shifts_only(config)) for share in SHARES),
        *([Act(f"{old} unprotected in AWS", _unprotect(old), _touches_only(old))] if protected else []),
        Act(f"{old} retired", _only(new, {new: 100}), _spares(new)),
    ]


def shared_objects(sandbox: Sandbox) -> dict[str, str]:
    """Return what clients know of the stack, by name: load balancer ARNs, and where each DNS name points."""
    balancers = sandbox.aws("elbv2").describe_load_balancers()["LoadBalancers"]
    found: dict[str, str] = {balancer["LoadBalancerName"]: balancer["LoadBalancerArn"] for balancer in balancers}
    route53 = sandbox.aws("route53")
    for zone in route53.list_hosted_zones()["HostedZones"]:
        for record in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            if "AliasTarget" in record:
                found[record["Name"]] = record["AliasTarget"]["DNSName"]
    return found


def _only(key: str, weights: dict[str, int]) -> Callable[[Config], None]:
    def edit(config: Config) -> None:
        config["eks-cutover:clusters"] = {key: config["eks-cutover:clusters"][key]}
        config["eks-cutover:weights"] = weights

    return edit


def _restore(key: str, cluster: Config, weights: dict[str, int]) -> Callable[[Config], None]:
    def edit(config: Config) -> None:
        config["eks-cutover:clusters"][key] = cluster
        config["eks-cutover:weights"] = weights

    return edit


def _weights(weights: dict[str, int]) -> Callable[[Config], None]:
    return lambda config: config.update({"eks-cutover:weights": weights})


def _unprotect(key: str) -> Callable[[Config], None]:
    return lambda config: config["eks-cutover:clusters"][key].update(deletionProtection=False)


def _shifts_only(config: Config) -> Callable[[Run], list[str]]:
    live = [name for name, route in config["eks-cutover:routes"].items() if route.get("live", True)]

    def faults(run: Run) -> list[str]:
        wrong = [step for step in run.steps if step.type != LISTENER_RULE or not _weights_alone(step)]
        found = [f"a shift touched more than weights: {step}" for step in wrong]
        if len(run.steps) != len(live):
            found.append(f"a shift took {len(run.steps)} steps for {len(live)} routes")
        return found

    return faults


def _weights_alone(step: Step) -> bool:
    return step.op == "update" and all(
        path.startswith("actions[0].forward.targetGroups[") and path.endswith("].weight") for path in step.paths
    )


def _adds_only(old: str) -> Callable[[Run], list[str]]:
    return lambda run: [
        f"adding a cluster touched what was there: {step}"
        for step in run.steps
        if (step.op != "create" and not (step.op == "update" and step.type == LISTENER_RULE)) or old in step.name
    ]


def _touches_only(key: str) -> Callable[[Run], list[str]]:
    return lambda run: [f"it touched another cluster: {step}" for step in run.steps if key not in step.name]


def _spares(new: str) -> Callable[[Run], list[str]]:
    return lambda run: [
        f"a retirement touched what stays: {step}"
        for step in run.steps
        if new in step.name or not (step.op == "delete" or (step.op == "update" and step.type == LISTENER_RULE))
    ]
