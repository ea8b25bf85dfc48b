"""The emulated ``kubernetes`` provider: names, diffs, server-side apply, and clusters that cannot be reached.

From the sources of pulumi-kubernetes 4, with its words. Refuses to own what is stored (`cluster`), what the API server
and the webhooks refuse (`schemas`, `admission`) and Helm (`helm`).
"""

from __future__ import annotations

import copy
import functools
import hashlib
import importlib.metadata
import json
import os
import secrets
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from rehearsal.cloud import session
from rehearsal.cloud.kubernetes import admission, managers, schemas
from rehearsal.cloud.kubernetes.cluster import KINDS, NAMESPACES, Cluster, Kind, at
from rehearsal.cloud.refused import Props, Refused
from rehearsal.cloud.session import Aws, organization_role
from rehearsal.cloud.store import Store
from rehearsal.plugins.kubernetes import helm
from rehearsal.plugins.plugin import UNKNOWN, Change, Diff, Resource, compare, unknown

AUTONAMED = "pulumi.com/autonamed"
_FORCED = "pulumi.com/patchForce"
_RANDOM_DIGITS = 7
_RELEASE = "kubernetes:helm.sh/v3:Release"
_DIAL_SECONDS = 30.0  # how long client-go waits for a connection, whatever timeout is set
_TYPES = {
    f"kubernetes:{kind.api_version if '/' in kind.api_version else f'core/{kind.api_version}'}:{kind.name}": kind
    for kind in KINDS.values()
}
_FLAGS = {
    "deleteUnreachable": "PULUMI_K8S_DELETE_UNREACHABLE",
    "enableConfigMapMutable": "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE",
    "enablePatchForce": "PULUMI_K8S_ENABLE_PATCH_FORCE",
    "skipUpdateUnreachable": "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE",
    "upsertExistingObjects": "PULUMI_K8S_UPSERT_EXISTING_OBJECTS",
}
_WITHOUT_EFFECT_HERE = frozenset(
    {
        "clusterIdentifier",
        "enableSecretMutable",
        "helmReleaseSettings",
        "kubeconfig",
        "suppressDeprecationWarnings",
        "suppressHelmHookWarnings",
        "version",
    }
)


@dataclass(frozen=True)
class Place:
    """Where a kubeconfig leads: an API server, and the EKS cluster behind it."""

    server: str
    cluster: str
    region: str


def place(kubeconfig: str) -> Place:
    """Read a kubeconfig of the shape that EKS has: JSON, with ``aws eks get-token`` as its way to log in.

    Raises Refused.
    """
    try:
        config = json.loads(kubeconfig)
        arguments = config["users"][0]["user"]["exec"]["args"]
        found = {arguments[i]: arguments[i + 1] for i in range(len(arguments) - 1)}
        return Place(config["clusters"][0]["cluster"]["server"], found["--cluster-name"], found["--region"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise Refused(
            f"the rehearsal's kubernetes provider takes the kubeconfig of an EKS cluster only: {error!r}"
        ) from error


def replacing_settings(olds: Props, news: Props) -> set[str]:
    """Return which changed settings of the provider replace it, and with it every object.

    A kubeconfig that leads to another API server does, and one that is not known yet. With ``clusterIdentifier`` only a
    change of that does.
    """
    before, now = olds.get("clusterIdentifier"), news.get("clusterIdentifier")
    if before and now:
        return {"clusterIdentifier"} if before != now else set()
    old, new = olds.get("kubeconfig"), news.get("kubeconfig")
    if old == new or not old:
        return set()
    if new == UNKNOWN or not new or place(old).server != place(new).server:
        return {"kubeconfig"}
    return set()


class KubernetesProvider:
    """The provider as the engine configured it, for one cluster."""

    version = importlib.metadata.version("pulumi-kubernetes")

    def __init__(self) -> None:
        self._flags: dict[str, bool] = {}
        self._place: Place | None = None
        self._patience = _DIAL_SECONDS
        self._asking = threading.Lock()

    def configure(self, settings: Props) -> None:
        """Take the cluster and the flags, which also have environment variables; ask for version and schema."""
        unheard = sorted(settings.keys() - _FLAGS.keys() - _WITHOUT_EFFECT_HERE - {"kubeClientSettings"})
        if settings.get("enableServerSideApply", "true") in {"false", False}:
            raise Refused("the rehearsal's kubernetes provider knows server-side apply only")
        unheard = [key for key in unheard if key != "enableServerSideApply"]
        if unheard:
            raise Refused(f"the rehearsal's kubernetes provider knows no setting {', '.join(unheard)}")
        self._flags = {
            flag: settings.get(flag, os.environ.get(variable)) in {"true", True} for flag, variable in _FLAGS.items()
        }
        self._place = place(settings["kubeconfig"]) if settings.get("kubeconfig") else None
        client = json.loads(settings.get("kubeClientSettings", "{}"))
        timeout = client.get("timeout") or os.environ.get("PULUMI_K8S_CLIENT_TIMEOUT") or _DIAL_SECONDS
        self._patience = min(_DIAL_SECONDS, float(timeout))
        if self._place and self._cluster.silent:
            time.sleep(2 * self._patience)  # one request after the other

    def check(self, resource: Resource, olds: Props, news: Props, seed: bytes) -> Props:
        """Return the inputs with name and namespace; of an unreachable cluster, perhaps the old ones."""
        if self._flags["skipUpdateUnreachable"] and self._unreachable:
            return olds
        if resource.type == _RELEASE:
            return helm.check(resource, olds, news, seed, Store.of_this_rehearsal())
        kind = _kind(resource)
        inputs = copy.deepcopy(news)
        inputs.setdefault("apiVersion", kind.api_version)
        inputs.setdefault("kind", kind.name)
        metadata = inputs.setdefault("metadata", {})
        if metadata != UNKNOWN:
            if "name" not in metadata:
                drawn = at(olds, "metadata", "annotations", AUTONAMED) == "true"
                digits = hashlib.sha256(seed).hexdigest() if seed else secrets.token_hex()
                fresh = f"{resource.name.lower()}-{digits[:_RANDOM_DIGITS]}"
                metadata["name"] = olds["metadata"]["name"] if drawn else fresh
                metadata["annotations"] = {**metadata.get("annotations", {}), AUTONAMED: "true"}
            if kind.namespaced:
                metadata.setdefault("namespace", "default")
        return inputs

    def diff(self, resource: Resource, old_inputs: Props, old_state: Props, news: Props) -> Diff:  # noqa: ARG002
        """Compare inputs: another name or namespace is another object, and so is other data of a ConfigMap."""
        if resource.type == _RELEASE:
            return helm.diff(old_inputs, news)
        if _kind(resource).chart and self._cluster.silent:
            # Each object of a kind that a CRD brings asks whether it has a namespace, one at a time, and in vain.
            with self._asking:
                time.sleep(self._patience)
        replacing = ["apiVersion", "kind", "metadata.name", "metadata.namespace"]
        if _kind(resource).name == "ConfigMap" and (
            old_inputs.get("immutable") or not self._flags["enableConfigMapMutable"]
        ):
            replacing += ["data", "binaryData"]
        changes = tuple(
            Change(path, kind, any(path == root or path.startswith((f"{root}.", f"{root}[")) for root in replacing))
            for path, kind in compare(old_inputs, news)
        )
        drawn = at(news, "metadata", "annotations", AUTONAMED) == "true"
        moved = any(change.path in {"metadata.name", "metadata.namespace"} for change in changes)
        replaced = any(change.replace for change in changes)
        return Diff(changes, delete_before_replace=replaced and not drawn and not moved)

    def create(self, resource: Resource, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        """Apply a new object; a preview is a dry run where the API server can make one."""
        if resource.type == _RELEASE:
            return self._install(inputs, preview=preview)
        if not preview and self._unreachable:
            raise Refused(f"configured Kubernetes cluster is unreachable: {self._unreachable}")
        kind = _kind(resource)
        if preview and (unknown(inputs) or self._unreachable or not self._cluster.serves(kind)):
            return "", inputs
        self._require(
            kind,
            f'creation of resource "{resource.urn}" with kind {kind.api_version}/{kind.name} failed because the '
            "Kubernetes API server reported that the apiVersion for this resource does not exist. Verify that any "
            "required CRDs have been created",
        )
        namespace, name = at(inputs, "metadata", "namespace") or "", inputs["metadata"]["name"]
        failed = f'resource "{resource.urn}" was not successfully created by the Kubernetes API server'
        if kind.namespaced and self._cluster.get("Namespace", "", namespace) is None:
            if preview:
                return "", inputs
            raise Refused(f'{failed}: namespaces "{namespace}" not found')
        live = self._cluster.get(kind.name, namespace, name)
        if live is not None and not self._flags["upsertExistingObjects"]:
            if preview:
                return "", inputs
            raise Refused(f'{failed}: {kind.resource} "{name}" already exists')
        applied = self._admitted(kind, inputs, live, {}, failed, preview=preview)
        if preview:
            return "", applied
        self._cluster.put(kind.name, namespace, name, applied)
        return f"{namespace}/{name}" if namespace else name, applied

    def read(self, resource: Resource, inputs: Props, state: Props) -> tuple[Props, Props] | None:
        """Return what is there, in the inputs only what the program had set."""
        if self._unreachable:
            if self._flags["deleteUnreachable"]:
                return None
            if self._flags["skipUpdateUnreachable"]:
                return inputs, state
            raise Refused(
                "failed to read resource state due to unreachable cluster. If the cluster was deleted, you can remove "
                "this resource from Pulumi state by rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE "
                f'environment variable set to "true" ({self._unreachable})'
            )
        namespace, _, name = resource.id.rpartition("/")
        kind = helm.KIND if resource.type == _RELEASE else _kind(resource).name
        live = self._cluster.get(kind, namespace, name)
        if live is None:
            return None
        return (_shaped(live, inputs) if inputs else live), live

    def update(self, resource: Resource, old_inputs: Props, old_state: Props, news: Props, *, preview: bool) -> Props:  # noqa: ARG002
        """Apply changed inputs: what the program no longer sets goes, what others set stays."""
        if not preview and self._unreachable:
            raise Refused(f"configured Kubernetes cluster is unreachable: {self._unreachable}")
        if resource.type == _RELEASE:
            return news if preview else helm.upgrade(self._cluster, news)
        kind = _kind(resource)
        if preview and (unknown(news) or self._unreachable or not self._cluster.serves(kind)):
            return news
        self._require(
            kind,
            f'update of resource "{resource.urn}" failed because the Kubernetes API server reported that the '
            "apiVersion for this resource does not exist. Verify that any required CRDs have been created",
        )
        namespace, name = at(news, "metadata", "namespace") or "", news["metadata"]["name"]
        live = self._cluster.get(kind.name, namespace, name)
        if live is None:
            raise Refused(f'update of resource "{resource.urn}" failed: {kind.resource} "{name}" not found')
        failed = f'the Kubernetes API server reported that "{resource.id}" failed to fully initialize or become live'
        applied = self._admitted(kind, news, live, old_inputs, failed, preview=preview)
        if not preview:
            self._cluster.put(kind.name, namespace, name, applied)
        return applied

    def delete(self, resource: Resource, state: Props) -> None:
        """Delete an object, once the controller that holds a finalizer on it has let go."""
        if resource.type == _RELEASE:
            if self._unreachable:
                raise Refused(f'can\'t delete Helm Release with unreachable cluster. Reason: "{self._unreachable}"')
            helm.uninstall(self._cluster, state)
            return
        if self._unreachable:
            if self._flags["deleteUnreachable"]:
                return
            raise Refused(
                "configured Kubernetes cluster is unreachable. If the cluster was deleted, you can remove this "
                "resource from Pulumi state by rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE "
                f'environment variable set to "true" ({self._unreachable})'
            )
        kind = _kind(resource)
        namespace, _, name = resource.id.rpartition("/")
        if kind.name == "Namespace":
            if name in NAMESPACES:
                return  # the provider gives up its fields: a cluster keeps these
            for inner, inner_name, _ in self._cluster.inside(name):
                self._remove(inner, name, inner_name)
        self._remove(kind.name, namespace, name)

    def invoke(self, token: str, args: Props) -> Props:  # noqa: ARG002
        """Refuse: no function of the provider is emulated."""
        raise Refused(f"the rehearsal's kubernetes provider has no function {token}")

    def _install(self, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        if preview:
            return "", inputs
        if self._unreachable:
            raise Refused(f'can\'t create Helm Release with unreachable cluster. Reason: "{self._unreachable}"')
        return f"{inputs['namespace']}/{inputs['name']}", helm.install(self._cluster, inputs)

    def _admitted(
        self, kind: Kind, inputs: Props, live: Props | None, before: Props, failed: str, *, preview: bool
    ) -> Props:
        """Return the object as it is let in. A preview takes every 403 for a dry run that it may not make."""
        forced = at(inputs, "metadata", "annotations", _FORCED) == "true" or self._flags["enablePatchForce"]
        manifest = _applied(inputs, live or {}, before)
        manifest["metadata"]["uid"] = at(live, "metadata", "uid") or str(uuid.uuid4())
        try:
            if others := managers.agreed(inputs, live, force=forced):
                manifest["metadata"]["managedFields"] = others
            else:
                manifest["metadata"].pop("managedFields", None)
            schemas.validate(kind, manifest, self._cluster.level(kind))
            return admission.admit(manifest, live, self._cluster, self._target_group)
        except Refused as refused:
            if preview and isinstance(refused, admission.Denied):
                return inputs
            raise Refused(f"{failed}: {refused}") from refused

    def _require(self, kind: Kind, failed: str) -> None:
        if not self._cluster.serves(kind):
            raise Refused(f'{failed}: no matches for kind "{kind.name}" in version "{kind.api_version}"')

    def _remove(self, kind: str, namespace: str, name: str) -> None:
        live = self._cluster.get(kind, namespace, name) or {}
        known = KINDS.get((live.get("apiVersion", ""), kind))
        held = known.chart if known else ""
        end = time.monotonic() + session.PATIENCE_SECONDS
        while held and self._idle(held) and self._cluster.get(kind, namespace, name) is not None:
            if time.monotonic() < end:
                time.sleep(0.1)
                continue
            raise Refused(
                f'timed out waiting for {kind} "{namespace}/{name}" to be deleted: its finalizer is still set, and no '
                f"pod of {held} runs in the cluster that would remove it"
            )
        left = self._cluster.change(kind, namespace, name, _marked_for_deletion)
        while left is not None:
            if time.monotonic() > end:
                raise Refused(
                    f'timed out waiting for {kind} "{namespace}/{name}" to be deleted: its controller has not removed '
                    f"{', '.join(left['metadata']['finalizers'])}"
                )
            time.sleep(0.1)
            left = self._cluster.get(kind, namespace, name)

    def _idle(self, chart: str) -> bool:
        return not self._cluster.runs(chart) or self._cluster.down(chart)

    @functools.cached_property
    def _cluster(self) -> Cluster:
        return Cluster(Store.of_this_rehearsal(), self._place.cluster if self._place else "")

    @functools.cached_property
    def _aws(self) -> Aws:
        return Aws(self._place.region if self._place else "", {})

    @functools.cached_property
    def _unreachable(self) -> str:
        """Why the API server cannot be reached, or nothing; judged once, as the provider does when it is configured."""
        if self._place is None:
            return "invalid configuration: no configuration has been provided"
        failed = f'unable to load schema information from the API server: Get "{self._place.server}/openapi/v2": '
        if self._cluster.unreachable:
            return f"{failed}dial tcp: i/o timeout"
        gone = ("ResourceNotFoundException",)
        account = self._cluster.account
        there = Aws(self._place.region, {}, organization_role(account)) if account else self._aws
        if there.found(gone, "eks", "describe_cluster", name=self._place.cluster) is None:
            return f"{failed}dial tcp: lookup {urlsplit(self._place.server).hostname}: no such host"
        return ""

    def _target_group(self, arn: str, name: str) -> Props | None:
        asked: dict[str, Any] = {"TargetGroupArns": [arn]} if arn else {"Names": [name]}
        found = self._aws.found(("TargetGroupNotFound",), "elbv2", "describe_target_groups", **asked)
        return found["TargetGroups"][0] if found and found["TargetGroups"] else None


def _kind(resource: Resource) -> Kind:
    kind = _TYPES.get(resource.type)
    if kind is None:
        raise Refused(f"the rehearsal's kubernetes provider knows no type {resource.type}")
    return kind


def _marked_for_deletion(live: Props | None) -> Props | None:
    """Return what a deletion leaves of an object: nothing, unless a controller has set a finalizer on it."""
    if live is None or not live["metadata"].get("finalizers"):
        return None
    return {**live, "metadata": {"deletionTimestamp": f"{datetime.now(UTC):%FT%TZ}", **live["metadata"]}}


def _applied(manifest: Props, live: Props, before: Props) -> Props:
    """Return ``live`` after a server-side apply of ``manifest``, where ``before`` was applied last."""
    result = {key: value for key, value in live.items() if key not in before}
    for key, value in manifest.items():
        inner = live.get(key)
        if isinstance(value, dict) and isinstance(inner, dict):
            owned = before.get(key)
            result[key] = _applied(value, inner, owned if isinstance(owned, dict) else {})
        else:
            result[key] = copy.deepcopy(value)
    return result


def _shaped(live: Props, inputs: Props) -> Props:
    """Return of ``live`` what ``inputs`` has a place for."""
    shaped: Props = {}
    for key in inputs.keys() & live.keys():
        value, wanted = live[key], inputs[key]
        shaped[key] = _shaped(value, wanted) if isinstance(value, dict) and isinstance(wanted, dict) else value
    return shaped
