"""What the controllers' webhooks would refuse of an object, by what stands in its cluster. Pure.

The provider takes whatever a webhook denies for a preview that it may not make, and shows none of it: the update would
be the first to fail (pulumi-kubernetes 4: every 403 of a dry run). Rules of AWS Load Balancer Controller 3.5.0; fields
that must not change are the components' to replace. Refuses to own the reads (object_hooks.py, objects.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutover.rules.check import Check
from cutover.rules.verdict import Verdict, known, some
from settings.bindings import CONTROLLERS, SINCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cutover.rules.check import Judged
    from cutover.rules.facts import Facts

    _Object = Mapping[str, Any]


@dataclass(frozen=True)
class Controller:
    """A controller by its chart, where it runs, and the Service through which the API server asks its webhooks.

    One that AWS runs outside the cluster has no Service there.
    """

    chart: str
    namespace: str
    service: str


LOAD_BALANCER = Controller("aws-load-balancer-controller", "kube-system", "aws-load-balancer-webhook-service")
_NAME_LABEL = "app.kubernetes.io/name"
_WATCH = "--watch-namespace="
AUTO_MODE = Controller("EKS Auto Mode", "", "")
APP_MESH = Controller("appmesh-controller", "appmesh-system", "appmesh-controller-webhook-service")


def unanswered(controller: Controller, slices: Iterable[_Object]) -> bool:
    """Tell whether a controller is installed and none of its pods is ready, by the EndpointSlices of its namespace."""
    mine = _ends(controller, slices)
    conditions = [end.get("conditions") or {} for one in mine for end in one.get("endpoints") or []]
    return bool(mine) and all(one.get("ready", True) is False for one in conditions)


def _ends(controller: Controller, slices: Iterable[_Object]) -> list[_Object]:
    return [
        one
        for one in slices
        if one["metadata"].get("namespace") == controller.namespace
        and (one["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == controller.service
    ]


def others(binding: _Object, bindings: Iterable[_Object]) -> list[str]:
    """Return the namespaces and names of the other bindings of a binding's target group in its cluster."""
    arn = binding["spec"].get("targetGroupARN")
    found = [one for one in bindings if one["spec"].get("targetGroupARN") == arn]
    return sorted(name for one in found if (name := _name(one)) != _name(binding))


def down(controller: Controller, cluster: str) -> str:
    """Say that nothing can be written which a controller's webhook is asked about, and how to bring it back."""
    return (
        f"no pod of {controller.chart} is ready in {cluster}, so its API server lets nobody make or change what the "
        f"controller looks after, and a deletion hangs. Bring it back first: kubectl -n {controller.namespace} get pods"
    )


def bound_twice(binding: _Object, cluster: str, names: Sequence[str]) -> str:
    """Say that a target group has other bindings, and what to do with them."""
    first, _, name = names[0].partition("/")
    return (
        f"the target group of {_name(binding)} has another TargetGroupBinding in {cluster} already, "
        f"{', '.join(names)}, and the controller lets it have one. Delete that while the cluster has no share, since "
        f"its targets leave with it: kubectl -n {first} delete targetgroupbinding {name}"
    )


def undeclared(binding: _Object, definitions: Iterable[_Object]) -> list[str]:
    """Return the fields of a binding that the CRD in its cluster does not declare; none where there is no CRD yet."""
    declared = _declared(definitions, binding["apiVersion"].rpartition("/")[2])
    return sorted(binding["spec"].keys() - declared) if declared else []


def level_of(definitions: Iterable[_Object]) -> str:
    """Return the version of the controller that a CRD is of, as far as its fields tell it from a newer one.

    Empty where it has all of them, or where there is none.
    """
    declared = _declared(definitions, CONTROLLERS.version.rpartition("/")[2])
    lacking = [since for field, since in SINCE.items() if field not in declared]
    return _before(min(lacking)) if declared and lacking else ""


def _declared(definitions: Iterable[_Object], version: str) -> set[str]:
    served = [one for definition in definitions for one in definition["spec"]["versions"] if one["name"] == version]
    return {field for one in served for field in one["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]}


def _before(since: tuple[int, int]) -> str:
    major, minor = max((one for one in SINCE.values() if one < since), default=(2, 0))
    return f"{major}.{minor}"


def too_old(cluster: str, fields: Sequence[str], *, own: bool) -> str:
    """Say that a cluster's CRD is older than what a binding says, and what to write."""
    since = [SINCE.get(field, (0, 0)) for field in fields]
    older, newer = _before(min(since)), ".".join(map(str, max(since)))
    cure = (
        f"Apply the CRDs of the controller's version in that cluster, which must be {newer} or later: Helm upgrades "
        "none"
        if own
        else f'Write clusters.{cluster}.loadBalancerController.crdLevel: "{older}", or have the CRDs of '
        f"{newer} or later applied there: Helm upgrades none"
    )
    return (
        f"the CRD of TargetGroupBindings in {cluster} declares no {' and no '.join(fields)}, so its API server would "
        f"refuse the binding (field not declared in schema). {cure}"
    )


def gone(arn: str) -> str:
    """Say that a target group which the state knows is not in AWS."""
    return f"the state knows {arn}, and AWS has no such target group. Take that in first: pulumi refresh"


def _controllers(facts: Facts) -> Judged:
    settings, key, here = facts.account.settings, facts.key, facts.here
    own = settings.own_clusters.get(key)
    meshed = own and own.controllers.app_mesh and settings.virtual_nodes()
    if settings.clusters[key].binding_api.version != CONTROLLERS.version:
        return Verdict.OK, f"AWS runs that of {AUTO_MODE.chart}, outside the cluster", ""
    wanted = [LOAD_BALANCER, *([APP_MESH] if meshed else [])]
    slices = known(here["endpointslices"])
    if missing := [controller.chart for controller in wanted if not _ends(controller, slices)]:
        return Verdict.BAD, f"not installed: {', '.join(missing)}", "Bring the stack up: pulumi up"
    for controller in wanted:
        if unanswered(controller, slices):
            cure = f"kubectl -n {controller.namespace} get pods, and bring it back"
            return Verdict.BAD, f"no pod of {controller.chart} is ready: targets of {key} stay as they are", cure
    if unwatched := _unwatched(facts):
        said = "; ".join(f"that of {route} in {namespace}" for route, namespace in unwatched)
        cure = "Take --watch-namespace (the chart's watchNamespace) away, or run one that looks there"
        return Verdict.BAD, f"{LOAD_BALANCER.chart} does not look at every binding: {said}", cure
    return Verdict.OK, f"{' and '.join(controller.chart for controller in wanted)} answer", ""


def _unwatched(facts: Facts) -> list[tuple[str, str]]:
    """Return the routes, each with its namespace, at whose bindings no load balancer controller of a cluster looks."""
    every = known(facts.here["deployments"])
    labelled = (one for one in every if (one["metadata"].get("labels") or {}).get(_NAME_LABEL) == LOAD_BALANCER.chart)
    containers = [one["spec"]["template"]["spec"]["containers"] for one in labelled]
    watched = {
        next(
            (word.removeprefix(_WATCH) for one in its for word in one.get("args") or () if word.startswith(_WATCH)), ""
        )
        for its in containers
    }
    if not watched or "" in watched:
        return []
    services = {name: route.service.namespace for name, route in facts.account.settings.routes.items()}
    return [(route, namespace) for route, namespace in services.items() if namespace not in watched]


def _bindings(facts: Facts) -> Judged:
    account, key, here = facts.account, facts.key, facts.here
    live = {_name(one): one for one in known(here["bindings"])}
    wrong, edited = list[str](), list[str]()
    for route, about in account.settings.routes.items():
        service = about.service
        binding = live.get(f"{service.namespace}/{route}")
        if binding is None:
            wrong.append(f"{route} has none")
            continue
        if binding["spec"].get("targetGroupARN") != account.found.group_of(route, key):
            wrong.append(f"that of {route} is for another target group")
        elif names := others(binding, live.values()):
            wrong.append(f"{route} shares its target group with {some(names)}")
        reference = binding["spec"]["serviceRef"]
        if (reference["name"], reference["port"]) != (service.name, service.port):
            there = f"{reference['name']}:{reference['port']}"
            edited.append(f"that of {route} is edited to {there}, not {service.name}:{service.port}")
    if wrong:
        cure = "Delete what is not the stack's, then pulumi up --refresh"
        return Verdict.BAD, "; ".join([*wrong, *edited]), cure
    if edited:
        return Verdict.BAD, "; ".join(edited), "Change the stack file, or take the edit back: pulumi up --refresh"
    return Verdict.OK, f"{len(account.settings.routes)} stand as the stack file says", ""


def _name(one: _Object) -> str:
    return f"{one['metadata'].get('namespace', 'default')}/{one['metadata']['name']}"


CHECKS = (
    Check(
        code="CUT003",
        title="controllers",
        why="Targets are registered by a cluster's own controller. Without one that answers, new pods and nodes never "
        "get a request, and dead ones keep theirs.",
        evidence="The EndpointSlices of the controllers' webhook Services; `--watch-namespace` in the Deployment.",
        cure="Bring the pods of the controller back; a chart that was never installed comes with `pulumi up`.",
        page="https://docs.aws.amazon.com/eks/latest/userguide/aws-load-balancer-controller.html",
        judged=_controllers,
    ),
    Check(
        code="CUT004",
        title="bindings",
        why="A TargetGroupBinding says which Service fills which target group. One that was edited, or that shares its "
        "group with another, fills it with something else.",
        evidence="The TargetGroupBindings of the cluster beside the stack file.",
        cure="Delete what is not the stack's, or take the edit back: `pulumi up --refresh`.",
        page="https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/targetgroupbinding/"
        "targetgroupbinding/",
        judged=_bindings,
    ),
)
"""The checks of a cluster's controllers, and of the bindings by which one of them registers targets."""
