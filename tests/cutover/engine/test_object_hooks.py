"""What the API server would refuse of an object, told before the provider is asked, and once however many objects."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from botocore.exceptions import ClientError

from cutover.engine import object_hooks
from cutover.engine.object_hooks import NotAdmittedError, ObjectHooks
from cutover.inside.lists import InsideError
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Callable

BINDING = "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding"
MESH = "kubernetes:appmesh.k8s.aws/v1beta2:Mesh"
ARN = "arn:aws:elasticloadbalancing:ap-northeast-1:1:targetgroup/web-v1-36-abc/1"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
BINDINGS = "/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings"


def _slice(service: str, namespace: str, *, ready: bool) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service}
    return {
        "metadata": {"namespace": namespace, "name": "a", "labels": labels},
        "endpoints": [{"conditions": {"ready": ready}}],
    }


def _binding(name: str = "web", arn: Any = ARN) -> dict[str, Any]:
    return {"metadata": {"namespace": "web", "name": name}, "spec": {"targetGroupARN": arn}}


class Cluster:
    """A cluster whose collections are given, and an account that has the target group or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lists: dict[str, Any] = {
            SLICES.format("kube-system"): [
                _slice("aws-load-balancer-webhook-service", "kube-system", ready=True),
            ],
            BINDINGS: [],
        }
        self.asked: list[tuple[str, str]] = []
        self.groups = {ARN}
        monkeypatch.setattr(object_hooks, "session", lambda _: None)
        monkeypatch.setattr(object_hooks, "Inside", lambda _, name: SimpleNamespace(list=self._list_of(name)))
        monkeypatch.setattr(object_hooks, "client", lambda *_: SimpleNamespace(describe_target_groups=self._describe))
        monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)

    def _list_of(self, name: str) -> Callable[[str], Any]:
        def listed(path: str) -> Any:
            self.asked.append((name, path))
            found = self.lists.get(path, [])
            if isinstance(found, Exception):
                raise found
            return found

        return listed

    def _describe(self, **asked: Any) -> Any:
        if asked["TargetGroupArns"][0] not in self.groups:
            raise ClientError({"Error": {"Code": "TargetGroupNotFound"}}, "DescribeTargetGroups")

    def preview(self, *wanted: dict[str, Any], kind: str = BINDING, there: bool = False) -> str:
        """Return why a preview of objects ends, or nothing."""
        hooks = ObjectHooks(settings_of("prod"))
        name = "web-v1-36" if kind == BINDING else "v1-36-mesh"
        old = {"metadata": {}} if there else None
        args: list[Any] = [SimpleNamespace(type=kind, name=name, new_inputs=one, old_outputs=old) for one in wanted]

        async def ask() -> None:
            await asyncio.gather(*(hooks.before_write(one) for one in args))

        try:
            asyncio.run(ask())
        except NotAdmittedError as error:
            return str(error)
        return ""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(monkeypatch)


def test_a_binding_that_nothing_speaks_against_is_let_in_and_its_cluster_asked_once(cluster: Cluster) -> None:
    cluster.lists[BINDINGS] = [_binding(), _binding("other", "arn:other")]
    assert cluster.preview(_binding(), _binding()) == ""
    assert cluster.asked == [("prod-v1-36", SLICES.format("kube-system")), ("prod-v1-36", BINDINGS)]


def test_a_second_binding_of_one_group_is_told_with_how_to_take_it_away(cluster: Cluster) -> None:
    cluster.lists[BINDINGS] = [_binding("by-hand")]
    for there in (False, True):
        told = cluster.preview(_binding(), there=there)
        assert "has another TargetGroupBinding in v1-36 already, web/by-hand" in told
        assert "kubectl -n web delete targetgroupbinding by-hand" in told


def test_a_target_group_that_is_gone_is_told_for_a_new_binding_alone(cluster: Cluster) -> None:
    cluster.groups.clear()
    assert "AWS has no such target group" in cluster.preview(_binding())
    assert cluster.preview(_binding(), there=True) == ""


def test_a_group_that_is_not_made_yet_is_not_asked_for(cluster: Cluster) -> None:
    cluster.groups.clear()
    assert cluster.preview(_binding(arn=pulumi.UNKNOWN)) == ""


@pytest.mark.parametrize(
    ("kind", "service", "namespace"),
    [
        (BINDING, "aws-load-balancer-webhook-service", "kube-system"),
        (MESH, "appmesh-controller-webhook-service", "appmesh-system"),
    ],
)
def test_a_controller_that_is_down_is_told_and_one_that_is_not_there_yet_is_not(
    cluster: Cluster, kind: str, service: str, namespace: str
) -> None:
    path = SLICES.format(namespace)
    cluster.lists[path] = [_slice(service, namespace, ready=False)]
    told = cluster.preview(_binding(), kind=kind)
    assert told.startswith("no pod of ")
    assert f"kubectl -n {namespace} get pods" in told
    cluster.lists[path] = []
    assert cluster.preview(_binding(), kind=kind) == ""


def test_what_cannot_be_read_ends_no_preview_and_an_update_asks_nothing(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.lists[SLICES.format("kube-system")] = InsideError("it cannot be reached")
    assert cluster.preview(_binding()) == ""
    cluster.asked.clear()
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)
    assert cluster.preview(_binding()) == ""
    assert cluster.asked == []
