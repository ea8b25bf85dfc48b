"""Helm releases: which charts a cluster can install here, what they ask for, and what they leave behind.

Only the two controllers of this project are known, in whichever repository the stack names: a mirror is taken at its
word. It can be made to refuse, or to be silent. Refuses to render a chart: what a controller's pods would do is not
part of a plan.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING

from rehearsal.cloud.kubernetes.cluster import APP_MESH_CONTROLLER, LOAD_BALANCER_CONTROLLER, Cluster, chart_of
from rehearsal.cloud.refused import Props, Refused
from rehearsal.plugins.plugin import UNKNOWN, Change, Diff, Resource, compare, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rehearsal.cloud.store import Store

KIND = "Release"
REPOSITORY = "chart repository"
"""The kind of the one document by which the repository of charts is out of reach: ``{"silent": BOOL}``."""

_TIMEOUT_SECONDS = 300
_SILENT_SECONDS = 3600  # longer than anybody waits
_INPUTS = frozenset(
    {
        "atomic",
        "chart",
        "cleanupOnFail",
        "compat",
        "createNamespace",
        "description",
        "maxHistory",
        "name",
        "namespace",
        "repositoryOpts",
        "resourceNames",
        "skipAwait",
        "skipCrds",
        "timeout",
        "values",
        "version",
        "waitForJobs",
    }
)


CHARTS: Mapping[str, Mapping[str, str]] = {
    LOAD_BALANCER_CONTROLLER: {"clusterName": "Chart cannot be installed without a valid clusterName!"},
    APP_MESH_CONTROLLER: {},
}
"""The charts, by the values without which their templates fail."""


def check(resource: Resource, olds: Props, news: Props, seed: bytes, store: Store) -> Props:
    """Return the inputs with name, namespace and timeout.

    The chart is loaded as soon as all inputs are known: without its repository there is no plan. Raises Refused for a
    chart or a property that is not known here, and for a chart without a version: which one is the newest is not known
    here either.
    """
    unheard = sorted(news.keys() - _INPUTS)
    if unheard:
        raise Refused(f"the rehearsal's Helm releases know no property {', '.join(unheard)}")
    inputs: Props = {"namespace": "default", **news}
    if not inputs.get("skipAwait"):
        inputs.setdefault("timeout", _TIMEOUT_SECONDS)
    digits = hashlib.sha256(seed).hexdigest() if seed else secrets.token_hex()
    inputs.setdefault("name", olds.get("name", f"{resource.name}-{digits[:8]}"))
    repository = inputs.get("repositoryOpts", {}).get("repo") or inputs["chart"].rpartition("/")[0]
    chart = CHARTS.get(chart_of(inputs))
    if chart is None or not repository:
        raise Refused(
            f'chart "{inputs["chart"]}" not found in {repository or "any repository"}; check the chart name and '
            f"repository configuration. The rehearsal knows {', '.join(CHARTS)}."
        )
    if "version" not in inputs:
        raise Refused(
            f'chart "{inputs["chart"]}": version is not set; a plan would change with every new release of it'
        )
    if not unknown(news):
        _load(inputs["chart"], repository, store)
    values = inputs.get("values", {})
    for key, complaint in chart.items():
        if values != UNKNOWN and not values.get(key):
            raise Refused(f"execution error at ({inputs['chart']}/templates/deployment.yaml): {complaint}")
    return inputs


def _load(chart: str, repository: str, store: Store) -> None:
    fault = store.get(REPOSITORY, REPOSITORY)
    if fault is None:
        return
    if fault["silent"]:
        time.sleep(_SILENT_SECONDS)
    raise Refused(
        f'chart "{chart}": looks like "{repository}" is not a valid chart repository or cannot be reached: Get '
        f'"{repository}/index.yaml": dial tcp: connect: connection refused'
    )


def diff(old_inputs: Props, news: Props) -> Diff:
    """Compare two releases: a new name or namespace is a new release, all else an upgrade."""
    return Diff(tuple(Change(path, kind, path in {"name", "namespace"}) for path, kind in compare(old_inputs, news)))


def install(cluster: Cluster, inputs: Props) -> Props:
    """Install a release with the CRDs of its chart, and return its state."""
    namespace, name = inputs["namespace"], inputs["name"]
    if cluster.get(KIND, namespace, name) is not None:
        raise Refused("cannot re-use a name that is still in use")
    if cluster.get("Namespace", "", namespace) is None:
        if not inputs.get("createNamespace"):
            raise Refused(f'create: failed to create: namespaces "{namespace}" not found')
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        cluster.put("Namespace", "", namespace, manifest)
    if not inputs.get("skipCrds"):
        cluster.install_kinds(chart_of(inputs))
    return _released(cluster, inputs, revision=1)


def upgrade(cluster: Cluster, inputs: Props) -> Props:
    """Upgrade a release. Helm never upgrades a chart's CRDs."""
    live = cluster.get(KIND, inputs["namespace"], inputs["name"])
    if live is None:
        raise Refused(f'"{inputs["name"]}" has no deployed releases')
    return _released(cluster, inputs, revision=live["status"]["revision"] + 1)


def uninstall(cluster: Cluster, state: Props) -> None:
    """Remove a release. Its CRDs and the objects of their kinds stay, as with Helm."""
    cluster.delete(KIND, state["namespace"], state["name"])


def _released(cluster: Cluster, inputs: Props, *, revision: int) -> Props:
    about = {key: inputs[key] for key in ("chart", "name", "namespace", "version")}
    state = {**inputs, "status": {**about, "revision": revision, "status": "deployed"}}
    cluster.put(KIND, inputs["namespace"], inputs["name"], state)
    return state
