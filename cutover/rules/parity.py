"""What runs inside the cluster that takes over, beside the one that serves: checks of what must be there, and alike.

Pure. Refuses to own the reads (objects.py of inside/), and what does not move with weights at all (unmoved.py).
Namespaces that begin with kube- are left out: what stands there goes with a cluster's version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutover.rules import gate
from cutover.rules.check import Check
from cutover.rules.objects import containers, labels, name_of, own
from cutover.rules.verdict import Verdict, known, some
from settings.owner import STACK_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cutover.rules.check import Judged
    from cutover.rules.facts import Facts
    from cutover.rules.verdict import Objects
    from settings.routes import Route

    _Object = Mapping[str, Any]

_WORKLOADS = {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet"}
_OWN_ROLE = "eks.amazonaws.com/role-arn"


def _services(facts: Facts) -> Judged:
    settings, key, here = facts.account.settings, facts.key, facts.here
    every = {name_of(service): service for service in known(here["services"])}
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
        if name_of(daemon) == "kube-system/aws-node":
            values = {env["name"]: env.get("value") for box in containers(daemon) for env in box.get("env", [])}
            return values.get("ENABLE_PREFIX_DELEGATION") == "true"
    return False


def _workloads(facts: Facts) -> Judged:
    key, peer, here, there = facts.key, facts.peer, facts.here, facts.there
    mine, theirs = _every(here), _every(there)
    if missing := theirs.keys() - mine.keys():
        return Verdict.BAD, f"not in {key}: {some(missing)}", f"Deploy to {key} what {peer} runs"
    return Verdict.OK, f"{len(theirs)} of {peer} stand in {key}", ""


def _images(facts: Facts) -> Judged:
    peer, here, there = facts.peer, facts.here, facts.there
    mine, theirs = _every(here), _every(there)
    other = [name for name in theirs.keys() & mine.keys() if _image_names(theirs[name]) != _image_names(mine[name])]
    if other:
        cure = "Deploy the same digests to both: else the shift compares two releases"
        return Verdict.WARN, f"not as in {peer}: {some(other)}", cure
    return Verdict.OK, f"as in {peer}", ""


def _replicas(facts: Facts) -> Judged:
    """Compare what is asked for; what an autoscaler scales is its own row."""
    peer, here, there = facts.peer, facts.here, facts.there
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


def _minimum(facts: Facts) -> Judged:
    """Compare the pods that stand behind each route without load with what the gate asks for at 50 and 100 %."""
    account, key, here = facts.account, facts.key, facts.here
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
    service = next((one for one in known(here["services"]) if name_of(one) == full), None)
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


def _roles(facts: Facts) -> Judged:
    key, peer, here, there = facts.key, facts.peer, facts.here, facts.there
    mine, theirs = _held_roles(here), _held_roles(there)
    if missing := theirs.keys() - mine.keys():
        cure = f"Give them a Pod Identity association in {key}: their calls to AWS would be refused"
        return Verdict.BAD, f"without a role in {key}: {some(missing)}", cure
    named = named_roles(here)
    strange = [name for name, role in named.items() if role == mine[name] and not known(facts.trusted).get(role, True)]
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
    accounts = {name_of(account): account["metadata"].get("annotations") or {} for account in own(inside, "accounts")}
    return {name: said[_OWN_ROLE] for name, said in accounts.items() if _OWN_ROLE in said}


def _named(kind: str) -> Callable[[Facts], Judged]:
    """Make the judgement whether objects of a kind have the same names in both clusters."""

    def judged(facts: Facts) -> Judged:
        key, both = facts.key, (facts.here, facts.there)
        mine, theirs = ({name_of(one) for one in own(inside, kind) if not _generated(one)} for inside in both)
        if missing := theirs - mine:
            return Verdict.WARN, f"not in {key}: {some(missing)}", f"Create in {key} what its workloads need"
        return Verdict.OK, f"{len(theirs)} of {facts.peer} stand in {key}", ""

    return judged


def _addons(facts: Facts) -> Judged:
    mine, theirs = ({one["addonName"] for one in known(inside["addons"])} for inside in (facts.here, facts.there))
    if missing := theirs - mine:
        cure = f"Write them under clusters.{facts.key}.addons, or have GitOps install what they bring"
        return Verdict.WARN, f"not in {facts.key}: {some(missing)}", cure
    return Verdict.OK, f"{len(theirs)} of {facts.peer} stand in {facts.key}", ""


def _every(inside: Objects) -> dict[str, _Object]:
    return {f"{name} {name_of(one)}": one for kind, name in _WORKLOADS.items() for one in own(inside, kind)}


def _generated(one: _Object) -> bool:
    """Tell whether a controller makes the object anew in every cluster, so that its absence says nothing."""
    token = "kubernetes.io/service-account.name" in (one["metadata"].get("annotations") or {})
    release = one["metadata"]["name"].startswith("sh.helm.release.")
    return token or release or bool(one["metadata"].get("ownerReferences"))


def _belongs(endpoints: _Object, namespace: str, service: str) -> bool:
    here = endpoints["metadata"]["namespace"] == namespace
    return here and labels(endpoints).get("kubernetes.io/service-name") == service


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
    return {box["name"]: box["image"] for box in containers(workload)}


SERVICES = Check(
    code="CUT002",
    title="Services",
    why="A route sends to a Service by name and port. Where that is missing, of another type, or without a ready "
    "endpoint, every request that the cluster gets is lost.",
    evidence="The Services and EndpointSlices of the cluster, for each route of the stack file.",
    cure="Deploy to the new cluster what the old one runs, and compare `service` in the stack file.",
    page="https://kubernetes.io/docs/concepts/services-networking/service/",
    judged=_services,
)

CHECKS = (
    Check(
        code="CUT013",
        title="workloads",
        why="What is forgotten in the new cluster is missed only when its share is large.",
        evidence="Deployments, StatefulSets and DaemonSets of both clusters, by name, without kube-* namespaces.",
        cure="Deploy what is missing, from where the old cluster gets it.",
        page="https://docs.aws.amazon.com/eks/latest/best-practices/cluster-upgrades.html",
        judged=_workloads,
        beside=True,
    ),
    Check(
        code="CUT014",
        title="images",
        why="With other images a shift compares two releases, and nobody knows whether the version of Kubernetes or "
        "that of the program is to blame.",
        evidence="The images of the containers of both clusters, by workload.",
        cure="Deploy the same digests to both, and release in another week.",
        page="https://kubernetes.io/docs/concepts/containers/images/",
        judged=_images,
        beside=True,
    ),
    Check(
        code="CUT015",
        title="replicas",
        why="Fewer pods than the old cluster has carry less.",
        evidence="What workloads ask for in both clusters; those that an autoscaler scales are left out.",
        cure="Scale them before the cluster gets everything.",
        page="https://kubernetes.io/docs/concepts/workloads/controllers/deployment/",
        judged=_replicas,
        beside=True,
    ),
    Check(
        code="CUT016",
        title="least replicas",
        why="At a share of 1 % nothing scales up, and the gate lets a share grow only with the targets for it.",
        evidence="The least pods behind each route, by its autoscaler or its workload, beside what the gate asks for.",
        cure="Raise the autoscaler's minimum until the shift is through.",
        page="https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/",
        judged=_minimum,
        beside=True,
    ),
    Check(
        code="CUT017",
        title="ServiceAccount roles",
        why="Each cluster has an OIDC issuer of its own. A role that does not trust the new one, and a Pod Identity "
        "association that was not made, refuse every call to AWS.",
        evidence="Annotations of ServiceAccounts, Pod Identity associations, and the trust policies of the roles.",
        cure="Associate the role with the ServiceAccount there (Pod Identity), or let it trust that cluster's issuer.",
        page="https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html",
        judged=_roles,
        beside=True,
    ),
    Check(
        code="CUT018",
        title="ConfigMaps",
        why="A pod whose ConfigMap is missing does not start, or starts with defaults.",
        evidence="Names of ConfigMaps in both clusters; what controllers make anew is left out. No content is read.",
        cure="Create what is missing, from where the old cluster gets it.",
        page="https://kubernetes.io/docs/concepts/configuration/configmap/",
        judged=_named("configmaps"),
        beside=True,
    ),
    Check(
        code="CUT019",
        title="Secrets",
        why="A pod whose Secret is missing does not start. Secrets made by hand are in no repository.",
        evidence="Names of Secrets in both clusters; what controllers make anew is left out. No content is read.",
        cure="Create what is missing, best by an operator that both clusters run.",
        page="https://kubernetes.io/docs/concepts/configuration/secret/",
        judged=_named("secrets"),
        beside=True,
    ),
    Check(
        code="CUT020",
        title="definitions (CRDs)",
        why="Objects of a kind that the new cluster does not know cannot be applied there.",
        evidence="Names of CustomResourceDefinitions in both clusters.",
        cure="Install the operators that bring them.",
        page="https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/custom-resources/",
        judged=_named("definitions"),
        beside=True,
    ),
    Check(
        code="CUT021",
        title="storage classes",
        why="A claim for a class that is not there stays pending, and so does its pod.",
        evidence="Names of StorageClasses in both clusters.",
        cure="Create the class; since 1.30 EKS makes no default one.",
        page="https://docs.aws.amazon.com/eks/latest/userguide/ebs-csi.html",
        judged=_named("storageclasses"),
        beside=True,
    ),
    Check(
        code="CUT028",
        title="add-ons",
        why="What an add-on does for pods (disks, metrics, snapshots) no manifest of theirs brings: a claim stays "
        "pending, and an autoscaler has no numbers.",
        evidence="Names of EKS add-ons in both clusters. What Helm or GitOps installs in place of one is not seen.",
        cure="Write them under `clusters.KEY.addons`.",
        page="https://docs.aws.amazon.com/eks/latest/userguide/eks-add-ons.html",
        judged=_addons,
        beside=True,
    ),
)
"""The checks of what runs inside the cluster that takes over, beside the one that serves."""
