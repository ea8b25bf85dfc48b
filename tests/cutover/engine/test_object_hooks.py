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
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
BINDINGS = "/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings"


def _slice(service: str, namespace: str, *, ready: bool) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service}
    return {
        "metadata": {"namespace": namespace, "name": "a", "labels": labels},
        "endpoints": [{"conditions": {"ready": ready}}],
    }


def _binding(name: str = "web", arn: Any = ARN) -> dict[str, Any]:
    about = {"metadata": {"namespace": "web", "name": name}, "spec": {"targetGroupARN": arn}}
    return {"apiVersion": "elbv2.k8s.aws/v1beta1", **about}


def _definition(*fields: str, version: str = "v1beta1") -> dict[str, Any]:
    spec = {"properties": {key: {} for key in fields}}
    schema = {"openAPIV3Schema": {"properties": {"spec": spec}}}
    return {"spec": {"versions": [{"name": version, "schema": schema}]}}


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
        def listed(path: str, named: str = "") -> Any:
            assert named in {"", "targetgroupbindings.elbv2.k8s.aws"}
            self.asked.append((name, path))
            found = self.lists.get(path, [])
            if isinstance(found, Exception):
                raise found
            return found

        return listed

    def _describe(self, **asked: Any) -> Any:
        if asked["TargetGroupArns"][0] not in self.groups:
            raise ClientError({"Error": {"Code": "TargetGroupNotFound"}}, "DescribeTargetGroups")

    def preview(self, *wanted: dict[str, Any], kind: str = BINDING, there: bool = False, key: str = "v1-36") -> str:
        """Return why a preview of objects ends, or nothing."""
        foreign = {"clusters.blue": {"existing": {"name": "prod-blue"}}, "weights.blue": 0}
        hooks = ObjectHooks(settings_of("prod", foreign if key == "blue" else {}))
        name = f"web-{key}" if kind == BINDING else f"{key}-mesh"
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
    assert cluster.asked == [("prod-v1-36", one) for one in (SLICES.format("kube-system"), DEFINITIONS, BINDINGS)]


def test_a_second_binding_of_one_group_is_told_with_how_to_take_it_away(cluster: Cluster) -> None:
    cluster.lists[BINDINGS] = [_binding("by-hand")]
    for there in (False, True):
        told = cluster.preview(_binding(), there=there)
        assert "has another TargetGroupBinding in v1-36 already, web/by-hand" in told
        assert "kubectl -n web delete targetgroupbinding by-hand" in told


def test_a_crd_that_is_older_than_a_binding_is_told_with_the_level_that_it_is_of(cluster: Cluster) -> None:
    wanted = _binding()
    wanted["spec"] |= {"vpcID": "vpc-1", "targetGroupProtocol": "HTTP"}
    cluster.lists[DEFINITIONS] = [_definition("targetGroupARN", "vpcID")]
    told = cluster.preview(wanted, key="blue")
    assert "in blue declares no targetGroupProtocol" in told
    assert 'Write clusters.blue.loadBalancerController.crdLevel: "2.12"' in told
    cluster.lists[DEFINITIONS] = [_definition("targetGroupARN")]
    assert 'crdLevel: "2.4"' in cluster.preview(wanted, key="blue")
    assert "crdLevel" not in (own := cluster.preview(wanted))
    assert "Apply the CRDs of the controller's version in that cluster" in own
    cluster.lists[DEFINITIONS] = [_definition("targetGroupARN", "vpcID", "targetGroupProtocol")]
    assert cluster.preview(wanted, key="blue") == ""
    cluster.lists[DEFINITIONS] = [_definition(version="v1alpha1")]
    assert cluster.preview(wanted, key="blue") == ""


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
