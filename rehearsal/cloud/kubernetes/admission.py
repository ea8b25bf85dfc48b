"""What the webhooks of the two controllers fill in and refuse, as pure rules over an object and what lies around it.

From the sources of AWS Load Balancer Controller 3.5.0 and App Mesh controller 1.13.3, with their words. Refuses to own
what the controllers do afterwards: registering targets, and writing meshes to AWS.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Protocol

from rehearsal.cloud.kubernetes.cluster import (
    APP_MESH_CONTROLLER,
    AUTO_MODE,
    KINDS,
    LOAD_BALANCER_CONTROLLER,
    Cluster,
    at,
)
from rehearsal.cloud.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rehearsal.cloud.refused import Props


WEBHOOK_SERVICES = {
    LOAD_BALANCER_CONTROLLER: "aws-load-balancer-webhook-service",
    APP_MESH_CONTROLLER: "appmesh-controller-webhook-service",
}
"""The Service by which the API server asks a controller, in the namespace of its release, by chart."""


class Denied(Refused):
    """What a webhook does not let in: 403 Forbidden, where all else that is refused has another status."""


class TargetGroups(Protocol):
    """How the load balancer controller looks up a target group: by ARN, else by name."""

    def __call__(self, arn: str, name: str) -> Props | None:
        """Return what DescribeTargetGroups has, or None."""
        ...


def admit(manifest: Props, live: Props | None, cluster: Cluster, target_groups: TargetGroups) -> Props:
    """Return the object as the webhooks let it in; ``live`` is what it was, or None when it is new.

    Without the controller's release there are no webhooks, and everything is let in. Raises Denied, and Refused where
    the controller is down.
    """
    kind = manifest["kind"]
    chart = KINDS[manifest["apiVersion"], kind].chart
    release = cluster.release(chart)
    admitted = copy.deepcopy(manifest)
    if release is None:
        return admitted
    group = manifest["apiVersion"].partition("/")[0]
    if cluster.down(chart):
        service = WEBHOOK_SERVICES[chart]
        path = f"mutate-{manifest['apiVersion'].replace('.', '-').replace('/', '-')}-{kind.lower()}"
        raise Refused(
            f'Internal error occurred: failed calling webhook "m{kind.lower()}.{group}": failed to call webhook: Post '
            f'"https://{service}.{release["namespace"]}.svc:443/{path}?timeout=10s": no endpoints available for '
            f'service "{service}"'
        )
    if chart in {LOAD_BALANCER_CONTROLLER, AUTO_MODE}:
        refusal = _admit_binding(admitted, live, cluster, target_groups)
    else:
        refusal = _APP_MESH[kind](admitted, live, cluster)
    if refusal:
        raise Denied(f'admission webhook "v{kind.lower()}.{group}" denied the request: {refusal}')
    return admitted


_NOT_TOGETHER = {  # by target type, a field and what the webhook says of both
    "instance": ("iamRoleArnToAssume", "TargetGroupBinding cannot use an assumed role with TargetType instance"),
    "ip": ("nodeSelector", "TargetGroupBinding cannot set NodeSelector when TargetType is ip"),
}


def _admit_binding(manifest: Props, live: Props | None, cluster: Cluster, target_groups: TargetGroups) -> str | None:
    spec = manifest["spec"]
    if "targetGroupARN" not in spec and "targetGroupName" not in spec:
        return "must provide either TargetGroupARN or TargetGroupName"
    group = target_groups(spec.get("targetGroupARN", ""), spec.get("targetGroupName", ""))
    if cluster.account and "iamRoleArnToAssume" not in spec:
        group = None  # it is in another account, whose groups the controller's own role does not see
    if live is None:
        if group is None:
            return "unable to get target group: TargetGroupNotFound: One or more target groups not found"
        spec.setdefault("targetGroupARN", group["TargetGroupArn"])
        spec.setdefault("targetType", group["TargetType"])
        spec.setdefault("ipAddressType", _address_type(group))
        spec.setdefault("vpcID", group.get("VpcId", ""))
        spec.setdefault("targetGroupProtocol", group.get("Protocol", ""))
    elif "targetType" not in spec:
        return "TargetGroupBinding must specify these fields: spec.targetType"
    else:
        changed = _changed(spec, live["spec"], "targetGroupARN", "targetType", "ipAddressType", "vpcID")
        if changed:
            return f"TargetGroupBinding update may not change these immutable fields: {changed}"
    field, why = _NOT_TOGETHER[spec["targetType"]]
    if field in spec:
        return why
    return _shared_group(manifest, cluster) or (_mismatch(spec, group) if live is None and group else None)


def _shared_group(manifest: Props, cluster: Cluster) -> str | None:
    arn, mine = manifest["spec"]["targetGroupARN"], manifest["metadata"]
    others = [
        other
        for other in cluster.all("TargetGroupBinding")
        if at(other, "spec", "targetGroupARN") == arn
        and (other["metadata"]["namespace"], other["metadata"]["name"]) != (mine["namespace"], mine["name"])
    ]
    multiple = all(at(binding, "spec", "multiClusterTargetGroup") for binding in (manifest, *others))
    if not others or multiple:
        return None
    names = " ".join(f"{other['metadata']['namespace']}/{other['metadata']['name']}" for other in others)
    return (
        f"TargetGroup {arn} is already bound to following TargetGroupBindings [{names}]. Please enable MultiCluster "
        f"mode on all TargetGroupBindings referencing {arn} or choose a different Target Group ARN."
    )


def _mismatch(spec: Props, group: Props) -> str | None:
    arn = spec["targetGroupARN"]
    if spec["ipAddressType"] != _address_type(group):
        return f"invalid IP address type {_address_type(group)} for TargetGroup {arn}"
    if spec["vpcID"] != group.get("VpcId", ""):
        return f"invalid VpcID {spec['vpcID']} doesnt match VpcID from TargetGroup {arn}"
    if spec["targetGroupProtocol"] != group.get("Protocol"):
        given, real = spec["targetGroupProtocol"], group.get("Protocol")
        return f"TargetGroup {arn} protocol differs (got {given}, expected {real})"
    return None


def _address_type(group: Props) -> str:
    return group.get("IpAddressType") or "ipv4"


def _admit_mesh(manifest: Props, live: Props | None, cluster: Cluster) -> str | None:  # noqa: ARG001
    spec = manifest.setdefault("spec", {})
    spec.setdefault("awsName", manifest["metadata"]["name"])
    return _immutable("Mesh", spec, live, "awsName")


def _admit_virtual_node(manifest: Props, live: Props | None, cluster: Cluster) -> str | None:
    name, spec = manifest["metadata"]["name"], manifest.setdefault("spec", {})
    if refusal := _join_mesh(manifest, live, cluster, "_"):
        return refusal
    if spec.get("podSelector") is not None and not spec.get("listeners"):
        return f"VirtualNode-{name} selects pods and has no listener"
    if "listeners" in spec and "serviceDiscovery" not in spec:
        return (
            f"ServiceDiscovery missing for VirtualNode-{name}. ServiceDiscovery must be specified when a listener is "
            "specified."
        )
    if refusal := _immutable("VirtualNode", spec, live, "awsName", "meshRef"):
        return refusal
    before = at(live, "spec", "serviceDiscovery", "awsCloudMap")
    if before is not None and before != at(spec, "serviceDiscovery", "awsCloudMap"):
        return "VirtualNode update may not change these fields: spec.serviceDiscovery.awsCloudMap"
    twice = _first_repeated(
        (reference["name"], reference.get("namespace", manifest["metadata"]["namespace"]))
        for backend in spec.get("backends", [])
        if (reference := at(backend, "virtualService", "virtualServiceRef"))
    )
    return f"VirtualNode-{name} has duplicate VirtualServiceReferences {twice[0]}" if twice else None


def _admit_virtual_service(manifest: Props, live: Props | None, cluster: Cluster) -> str | None:
    refusal = _join_mesh(manifest, live, cluster, ".")
    return refusal or _immutable("VirtualService", manifest["spec"], live, "awsName", "meshRef")


def _admit_virtual_router(manifest: Props, live: Props | None, cluster: Cluster) -> str | None:
    refusal = _join_mesh(manifest, live, cluster, "_")
    refusal = refusal or _immutable("VirtualRouter", manifest["spec"], live, "awsName", "meshRef")
    twice = _first_repeated(route["name"] for route in manifest["spec"].get("routes", []))
    if refusal or not twice:
        return refusal
    return f"VirtualRouter-{manifest['metadata']['name']} has duplicate route entries for {twice}"


_APP_MESH = {
    "Mesh": _admit_mesh,
    "VirtualNode": _admit_virtual_node,
    "VirtualService": _admit_virtual_service,
    "VirtualRouter": _admit_virtual_router,
}


def _join_mesh(manifest: Props, live: Props | None, cluster: Cluster, joint: str) -> str | None:
    """Fill in the AWS name, and for a new object the one mesh that selects its namespace."""
    namespace = manifest["metadata"]["namespace"]
    spec = manifest.setdefault("spec", {})
    spec.setdefault("awsName", f"{manifest['metadata']['name']}{joint}{namespace}")
    if live is not None:
        return None
    labels = at(cluster.get("Namespace", "", namespace), "metadata", "labels") or {}
    meshes = [mesh for mesh in cluster.all("Mesh") if selects(at(mesh, "spec", "namespaceSelector"), labels)]
    names = ",".join(mesh["metadata"]["name"] for mesh in meshes)
    match meshes:
        case [mesh]:
            spec["meshRef"] = {"name": mesh["metadata"]["name"], "uid": mesh["metadata"]["uid"]}
            return None
        case []:
            return f"failed to find matching mesh for namespace: {namespace}, expecting 1 but found 0"
        case _:
            return (
                f"found multiple matching meshes for namespace: {namespace}, expecting 1 but found "
                f"{len(meshes)}: {names}"
            )


def selects(selector: Props | None, labels: dict[str, str]) -> bool:
    """Tell whether a label selector matches; one that is absent matches nothing, an empty one everything."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels", {})
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    for expression in selector.get("matchExpressions", []):
        key, values = expression["key"], expression.get("values", [])
        holds = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not holds.get(expression["operator"], False):
            return False
    return True


def _immutable(kind: str, spec: Props, live: Props | None, *fields: str) -> str | None:
    changed = _changed(spec, at(live, "spec") or {}, *fields) if live else ""
    return f"{kind} update may not change these fields: {changed}" if changed else None


def _changed(spec: Props, live: Props, *fields: str) -> str:
    return ",".join(f"spec.{name}" for name in fields if spec.get(name) != live.get(name))


def _first_repeated(values: Iterable[Any]) -> Any:
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
