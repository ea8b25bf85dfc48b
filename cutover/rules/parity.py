"""What runs inside the cluster that takes over, beside the one that serves: rows of the preflight.

Pure. Owns what must be alike, and what does not move with weights at all. Refuses to own the reads (objects.py).
Namespaces that begin with kube- are left out: what stands there goes with a cluster's version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutover.rules import gate
from cutover.rules.verdict import Row, Unread, Verdict, known, row, some
from settings.owner import STACK_TAG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cutover.rules.account import Account
    from cutover.rules.facts import Facts
    from cutover.rules.verdict import Objects
    from settings import Settings
    from settings.models import Route

    _Object = Mapping[str, Any]
    _Judged = tuple[Verdict, str, str]

_WORKLOADS = {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet"}
_OWN_ROLE = "eks.amazonaws.com/role-arn"


def judge(facts: Facts, peer: str) -> list[Row]:
    """Return the rows of the cluster that is checked beside ``peer``."""
    key, here, there = facts.key, facts.here, facts.there
    return [
        row("workloads", lambda: _workloads(key, peer, here, there)),
        row("images", lambda: _images(peer, here, there)),
        row("replicas", lambda: _replicas(peer, here, there)),
        row("least replicas", lambda: _minimum(facts.account, key, here)),
        row("ServiceAccount roles", lambda: _roles(key, peer, here, there, facts.trusted)),
        row("ConfigMaps", lambda: _names("configmaps", key, peer, here, there)),
        row("Secrets", lambda: _names("secrets", key, peer, here, there)),
        row("definitions (CRDs)", lambda: _names("definitions", key, peer, here, there)),
        row("storage classes", lambda: _names("storageclasses", key, peer, here, there)),
        row("state", lambda: _state(peer, there)),
        row("other entrances", lambda: _entrances(peer, there)),
    ]


def services(settings: Settings, key: str, here: Objects) -> _Judged:
    """Judge the Service of every route in ``key``: that it stands, has the port and the type, and ready endpoints."""
    every = {_name(service): service for service in known(here["services"])}
    slices = known(here["endpointslices"])
    wrong, said = list[str](), list[str]()
    for name, route in settings.routes.items():
        wanted = route.service
        full = f"{wanted.namespace}/{wanted.name}"
        if (service := every.get(full)) is None:
            wrong.append(f"{name}: no Service {full}")
            continue
        if wanted.port not in {port["port"] for port in service["spec"].get("ports", [])}:
            wrong.append(f"{name}: Service {full} has no port {wanted.port}")
        if route.target_type == "instance" and service["spec"].get("type") not in {"NodePort", "LoadBalancer"}:
            wrong.append(f"{name}: Service {full} has no node port")
        mine = [one for one in slices if _belongs(one, wanted.namespace, wanted.name)]
        ready = _ready(mine)
        said.append(f"{name} {ready} ready")
        if not ready:
            wrong.append(f"{name}: Service {full} has no ready endpoint")
        ports = {port.get("port") for one in mine for port in one.get("ports") or []}
        if route.target_type == "ip" and ready and wanted.target_port not in ports:
            wrong.append(f"{name}: pods of {full} listen on {some(map(str, ports))}, not on {wanted.target_port}")
    if wrong:
        return Verdict.BAD, "; ".join(wrong), f"Deploy the same to {key}, and compare service in the stack file"
    return Verdict.OK, ", ".join(said) or "there is no route", ""


def delegates_prefixes(here: Objects) -> bool:
    """Tell whether the cluster's VPC CNI gives pods addresses out of whole /28."""
    for daemon in known(here["daemonsets"]):
        if _name(daemon) == "kube-system/aws-node":
            values = {env["name"]: env.get("value") for box in _boxes(daemon) for env in box.get("env", [])}
            return values.get("ENABLE_PREFIX_DELEGATION") == "true"
    return False


def meshes(clusters: Mapping[str, Objects]) -> list[Row]:
    """Return the row of service meshes that span clusters, behind which a weight says little."""

    def judged() -> _Judged:
        said = [f"{one} in {key}" for key, inside in clusters.items() for one in _spanning(inside)]
        if not said:
            for inside in clusters.values():
                for kind in ("secrets", "definitions", "imports", "exports"):
                    known(inside[kind])
            return Verdict.OK, "none was found", ""
        cure = "A pod may answer in the other cluster, so weights and metrics lie: let Services of routes stay local"
        return Verdict.WARN, some(said), cure

    return [row("multi-cluster mesh", judged)]


def _workloads(key: str, peer: str, here: Objects, there: Objects) -> _Judged:
    mine, theirs = _every(here), _every(there)
    if missing := theirs.keys() - mine.keys():
        return Verdict.BAD, f"not in {key}: {some(missing)}", f"Deploy to {key} what {peer} runs"
    return Verdict.OK, f"{len(theirs)} of {peer} stand in {key}", ""


def _images(peer: str, here: Objects, there: Objects) -> _Judged:
    mine, theirs = _every(here), _every(there)
    other = [name for name in theirs.keys() & mine.keys() if _image_names(theirs[name]) != _image_names(mine[name])]
    if other:
        cure = "Deploy the same digests to both: else the shift compares two releases"
        return Verdict.WARN, f"not as in {peer}: {some(other)}", cure
    return Verdict.OK, f"as in {peer}", ""


def _replicas(peer: str, here: Objects, there: Objects) -> _Judged:
    """Compare what is asked for; what an autoscaler scales is its own row."""
    mine, theirs = _every(here), _every(there)
    scaled = {_scaled(one) for one in known(here["autoscalers"])}
    fewer = [
        f"{name} {_asked(mine[name])} of {_asked(theirs[name])}"
        for name in theirs.keys() & mine.keys()
        if name not in scaled and _asked(mine[name]) < _asked(theirs[name])
    ]
    if fewer:
        return Verdict.WARN, f"fewer than in {peer}: {some(fewer)}", "Scale them before the cluster gets everything"
    return Verdict.OK, f"no fewer than in {peer}", ""


def _minimum(account: Account, key: str, here: Objects) -> _Judged:
    """Compare the pods that stand behind each route without load with what the gate asks for at 50 and 100 %."""
    said, cures = list[str](), list[str]()
    for name, route in account.settings.routes.items():
        least = _least(route, here)
        if least is None:
            continue
        move = account.move(name, {key: 1})
        arn = account.found.group_of(name, key)
        half, whole = (gate.need(move, account.policy, arn, share) for share in (0.5, 1))
        said.append(f"{name} {least}, needs {half} at 50% and {whole} at 100%")
        if least < whole:
            cures.append(f"{name} {whole}")
    if cures:
        cure = f"At a small share nothing scales up, and the gate refuses: raise the minimum first ({', '.join(cures)})"
        return Verdict.WARN, "; ".join(said), cure
    return Verdict.OK, "; ".join(said) or "nodes are the targets, with or without a pod", ""


def _least(route: Route, here: Objects) -> int | None:
    """Return how few pods may stand behind a route, or None where pods are not what the load balancer counts."""
    full = f"{route.service.namespace}/{route.service.name}"
    service = next((one for one in known(here["services"]) if _name(one) == full), None)
    if service is None:
        return None
    local = service["spec"].get("externalTrafficPolicy") == "Local"
    selector = service["spec"].get("selector") or {}
    if not selector or (route.target_type == "instance" and not local):
        return None
    minima = {_scaled(one): one["spec"].get("minReplicas", 1) for one in known(here["autoscalers"])}
    behind = {
        name: workload
        for name, workload in _every(here).items()
        if name.split(" ")[1].startswith(f"{route.service.namespace}/")
        and selector.items() <= workload["spec"]["template"]["metadata"].get("labels", {}).items()
    }
    return sum(minima.get(name, _asked(workload)) for name, workload in behind.items())


def _roles(key: str, peer: str, here: Objects, there: Objects, trusted: Mapping[str, bool] | Unread) -> _Judged:
    mine, theirs = _held_roles(here), _held_roles(there)
    if missing := theirs.keys() - mine.keys():
        cure = f"Give them a Pod Identity association in {key}: their calls to AWS would be refused"
        return Verdict.BAD, f"without a role in {key}: {some(missing)}", cure
    named = named_roles(here)
    strange = [name for name, role in named.items() if role == mine[name] and not known(trusted).get(role, True)]
    if strange:
        cure = f"Each cluster has an issuer of its own: let the roles trust that of {key}, or use EKS Pod Identity"
        return Verdict.BAD, f"their role does not trust {key}: {some(strange)}", cure
    if other := [name for name, role in theirs.items() if mine[name] != role]:
        return Verdict.WARN, f"another role than in {peer}: {some(other)}", "See whether they may do the same"
    return Verdict.OK, f"{len(theirs)} with the same role as in {peer}", ""


def _held_roles(inside: Objects) -> dict[str, str]:
    """Return the IAM role of each ServiceAccount that has one; an association wins over an annotation.

    Without those of the stack's own controllers, whose role is another one in each cluster.
    """
    associated = {
        f"{one['namespace']}/{one['serviceAccount']}": one["roleArn"]
        for one in known(inside["identities"])
        if not one["namespace"].startswith("kube-") and STACK_TAG not in one.get("tags", {})
    }
    return {**named_roles(inside), **associated}


def named_roles(inside: Objects) -> dict[str, str]:
    """Return the IAM role that each ServiceAccount names itself, if it does."""
    accounts = {_name(account): account["metadata"].get("annotations") or {} for account in _own(inside, "accounts")}
    return {name: said[_OWN_ROLE] for name, said in accounts.items() if _OWN_ROLE in said}


def _names(kind: str, key: str, peer: str, here: Objects, there: Objects) -> _Judged:
    mine, theirs = ({_name(one) for one in _own(inside, kind) if not _generated(one)} for inside in (here, there))
    if missing := theirs - mine:
        return Verdict.WARN, f"not in {key}: {some(missing)}", f"Create in {key} what its workloads need"
    return Verdict.OK, f"{len(theirs)} of {peer} stand in {key}", ""


def _state(peer: str, there: Objects) -> _Judged:
    sets = [f"StatefulSet {_name(one)}" for one in _own(there, "statefulsets")]
    volumes = [
        f"volume {_name(one)}" for one in _own(there, "volumes") if one.get("status", {}).get("phase") == "Bound"
    ]
    if kept := [*sets, *volumes]:
        cure = "Weights move requests and no data: keep it outside of the clusters, or move it by hand"
        return Verdict.WARN, f"in {peer}: {some(kept)}", cure
    return Verdict.OK, f"{peer} keeps none", ""


def _entrances(peer: str, there: Objects) -> _Judged:
    found = [_name(one) for one in _own(there, "services") if one["spec"].get("type") == "LoadBalancer"]
    if found:
        cure = "Their clients do not follow weights: make them routes, or move their names yourself"
        return Verdict.WARN, f"LoadBalancer Services in {peer}: {some(found)}", cure
    return Verdict.OK, f"{peer} has no LoadBalancer Service", ""


def _spanning(inside: Objects) -> list[str]:
    """Return what spans clusters; what could not be read does not."""
    secrets = _readable(inside, "secrets")
    definitions = {_name(one) for one in _readable(inside, "definitions")}
    found = {
        "Istio multi-cluster": any(_labels(one).get("istio/multiCluster") == "true" for one in secrets),
        "Cilium Cluster Mesh": any(one["metadata"]["name"] == "cilium-clustermesh" for one in secrets),
        "Linkerd multicluster": "links.multicluster.linkerd.io" in definitions,
        "Submariner": "clusters.submariner.io" in definitions,
        "multi-cluster Services": bool([*_readable(inside, "imports"), *_readable(inside, "exports")]),
    }
    return [name for name, is_there in found.items() if is_there]


def _every(inside: Objects) -> dict[str, _Object]:
    return {f"{name} {_name(one)}": one for kind, name in _WORKLOADS.items() for one in _own(inside, kind)}


def _own(inside: Objects, kind: str) -> list[_Object]:
    """Return the objects of a kind that a cluster does not bring by itself."""
    return [one for one in known(inside[kind]) if not one["metadata"].get("namespace", "").startswith("kube-")]


def _readable(inside: Objects, kind: str) -> Iterable[_Object]:
    found = inside[kind]
    return [] if isinstance(found, Unread) else found


def _generated(one: _Object) -> bool:
    """Tell whether a controller makes the object anew in every cluster, so that its absence says nothing."""
    token = "kubernetes.io/service-account.name" in (one["metadata"].get("annotations") or {})
    release = one["metadata"]["name"].startswith("sh.helm.release.")
    return token or release or bool(one["metadata"].get("ownerReferences"))


def _belongs(endpoints: _Object, namespace: str, service: str) -> bool:
    here = endpoints["metadata"]["namespace"] == namespace
    return here and _labels(endpoints).get("kubernetes.io/service-name") == service


def _ready(slices: Iterable[_Object]) -> int:
    """Return how many endpoints are ready; an unknown condition counts as ready, as Kubernetes has it."""
    conditions = [end.get("conditions") or {} for one in slices for end in one.get("endpoints") or []]
    return sum(one.get("ready", True) is not False for one in conditions)


def _scaled(autoscaler: _Object) -> str:
    target = autoscaler["spec"]["scaleTargetRef"]
    return f"{target['kind']} {autoscaler['metadata']['namespace']}/{target['name']}"


def _asked(workload: _Object) -> int:
    return workload["spec"].get("replicas", 1)


def _image_names(workload: _Object) -> dict[str, str]:
    return {box["name"]: box["image"] for box in _boxes(workload)}


def _boxes(workload: _Object) -> list[_Object]:
    spec = workload["spec"]["template"]["spec"]
    return [*spec.get("initContainers", []), *spec.get("containers", [])]


def _labels(one: _Object) -> Mapping[str, str]:
    return one["metadata"].get("labels") or {}


def _name(one: _Object) -> str:
    namespace = one["metadata"].get("namespace")
    return f"{namespace}/{one['metadata']['name']}" if namespace else one["metadata"]["name"]
