"""What the emulated `kubernetes` provider does with objects, and what it refuses, in the words that a user sees."""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.cloud import session
from rehearsal.cloud.kubernetes.cluster import Cluster, set_answering, set_reachable
from rehearsal.cloud.kubernetes.managers import edit_by_hand
from rehearsal.cloud.refused import Props, Refused
from rehearsal.cloud.store import Store
from rehearsal.plugins.kubernetes.provider import KubernetesProvider, replacing_settings
from rehearsal.plugins.plugin import UNKNOWN, Diff, Resource
from rehearsal.world.controllers import annotate, let_go

if TYPE_CHECKING:
    from tests.rehearsal.conftest import Account, Network

NAMESPACE = "kubernetes:core/v1:Namespace"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
RELEASE = "kubernetes:helm.sh/v3:Release"
BINDING = "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding"
MESH = "kubernetes:appmesh.k8s.aws/v1beta2:Mesh"
VIRTUAL_NODE = "kubernetes:appmesh.k8s.aws/v1beta2:VirtualNode"
VIRTUAL_SERVICE = "kubernetes:appmesh.k8s.aws/v1beta2:VirtualService"
VIRTUAL_ROUTER = "kubernetes:appmesh.k8s.aws/v1beta2:VirtualRouter"
CHARTS = {"repo": "https://aws.github.io/eks-charts"}


@dataclass
class Applied:
    """An object as an engine would remember it."""

    resource: Resource
    inputs: Props
    state: Props


class Kube:
    """The steps that the engine takes with the provider of one cluster."""

    def __init__(self, name: str, server: str) -> None:
        self.name = name
        self.kubeconfig = kubeconfig(name, server)
        self.provider = KubernetesProvider()
        self.configure()

    def configure(self, **settings: str) -> None:
        """Start the provider anew, as each run of the engine does."""
        self.provider = KubernetesProvider()
        self.provider.configure({"kubeconfig": self.kubeconfig, **settings})

    def reach(self, *, reachable: bool, **settings: str) -> None:
        """Make the API server reachable or not, for the runs that follow."""
        set_reachable(Store.of_this_rehearsal(), self.name, reachable=reachable)
        self.configure(**settings)

    def create(self, token: str, name: str, /, **inputs: Any) -> Applied:
        """Check and create."""
        return self._create(token, name, inputs, preview=False)

    def preview_create(self, token: str, name: str, /, **inputs: Any) -> Applied:
        """Check, and see what would be created."""
        return self._create(token, name, inputs, preview=True)

    def diff(self, applied: Applied, /, **inputs: Any) -> Diff:
        """Check and compare."""
        news = self.provider.check(applied.resource, applied.inputs, inputs, b"other")
        return self.provider.diff(applied.resource, applied.inputs, applied.state, news)

    def update(self, applied: Applied, /, **inputs: Any) -> Applied:
        """Check and change in place."""
        return self._update(applied, inputs, preview=False)

    def preview_update(self, applied: Applied, /, **inputs: Any) -> Applied:
        """Check, and see what would change."""
        return self._update(applied, inputs, preview=True)

    def read(self, applied: Applied) -> tuple[Props, Props] | None:
        """Read back."""
        return self.provider.read(applied.resource, applied.inputs, applied.state)

    def delete(self, applied: Applied) -> None:
        """Delete."""
        self.provider.delete(applied.resource, applied.state)

    @property
    def cluster(self) -> Cluster:
        """What the API server knows."""
        return Cluster(Store.of_this_rehearsal(), self.name)

    def namespace(self, name: str = "web", **labels: str) -> Applied:
        """Make a namespace."""
        return self.create(NAMESPACE, name, metadata={"name": name, "labels": labels})

    def release(self, chart: str, /, **more: Any) -> Applied:
        """Install a controller."""
        inputs = {"name": chart, "namespace": "kube-system", "version": "3.5.0", "values": {"clusterName": self.name}}
        return self.create(RELEASE, chart, chart=chart, repositoryOpts=CHARTS, **{**inputs, **more})

    def _create(self, token: str, name: str, inputs: Props, *, preview: bool) -> Applied:
        resource = Resource(f"urn:pulumi:test::rehearsal::{token}::{name}")
        checked = self.provider.check(resource, {}, inputs, b"seed")
        made, state = self.provider.create(resource, checked, preview=preview)
        return Applied(Resource(resource.urn, made), checked, state)

    def _update(self, applied: Applied, inputs: Props, *, preview: bool) -> Applied:
        news = self.provider.check(applied.resource, applied.inputs, inputs, b"other")
        state = self.provider.update(applied.resource, applied.inputs, applied.state, news, preview=preview)
        return Applied(applied.resource, news, state)


def kubeconfig(name: str, server: str) -> str:
    arguments = ["--region", "ap-northeast-1", "eks", "get-token", "--cluster-name", name, "--output", "json"]
    return json.dumps(
        {
            "clusters": [{"cluster": {"server": server}, "name": "kubernetes"}],
            "users": [{"name": "aws", "user": {"exec": {"command": "aws", "args": arguments}}}],
        }
    )


@pytest.fixture(scope="session")
def eks_api(account: Account) -> Any:
    """Return the API that makes and deletes clusters."""
    return account.client("eks")


@pytest.fixture(scope="session")
def elb_api(account: Account) -> Any:
    """Return the API that makes target groups."""
    return account.client("elbv2")


def new_kube(eks_api: Any) -> Kube:
    name = f"v1-36-{secrets.token_hex(4)}"
    role = "arn:aws:iam::123456789012:role/eks"
    made = eks_api.create_cluster(name=name, roleArn=role, resourcesVpcConfig={})
    return Kube(name, made["cluster"]["endpoint"])


@pytest.fixture
def kube(eks_api: Any) -> Kube:
    """Return the provider over a new, empty cluster."""
    return new_kube(eks_api)


@pytest.fixture
def ready(kube: Kube) -> Kube:
    """Return a cluster with a namespace and the load balancer controller."""
    kube.namespace()
    kube.release("aws-load-balancer-controller")
    return kube


@pytest.fixture
def group(elb_api: Any, network: Network) -> Props:
    """Return a new target group for pods, as DescribeTargetGroups has it."""
    made = elb_api.create_target_group(
        Name=f"g-{secrets.token_hex(6)}", Port=80, Protocol="HTTP", VpcId=network.vpc.id, TargetType="ip"
    )
    return made["TargetGroups"][0]


def binding(group: Props, name: str = "web", **spec: Any) -> Props:
    return {
        "metadata": {"name": name, "namespace": "web"},
        "spec": {
            "serviceRef": {"name": "web", "port": 80},
            "targetGroupARN": group["TargetGroupArn"],
            "targetType": "ip",
            "ipAddressType": "ipv4",
            "vpcID": group["VpcId"],
            "targetGroupProtocol": "HTTP",
            **spec,
        },
    }


# Names and diffs


def test_an_object_without_a_name_gets_one_that_stays(kube: Kube) -> None:
    first = kube.create(CONFIG_MAP, "settings", data={"a": "1"})
    name = first.inputs["metadata"]["name"]
    assert name.startswith("settings-")
    assert len(name) == len("settings-") + 7
    assert first.inputs["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}
    assert first.resource.id == f"default/{name}"
    assert kube.diff(first, data={"a": "1"}) == Diff()


def test_an_object_with_a_fixed_name_is_deleted_before_its_replacement(kube: Kube) -> None:
    applied = kube.create(CONFIG_MAP, "settings", metadata={"name": "settings"}, data={"a": "1"})
    change = kube.diff(applied, metadata={"name": "settings"}, data={"a": "2"})
    assert [(one.path, one.replace) for one in change.changes] == [("data.a", True)]
    assert change.delete_before_replace


def test_a_replacement_that_only_the_program_asks_for_is_made_first(kube: Kube) -> None:
    applied = kube.namespace(team="one")
    assert not kube.diff(applied, metadata={"name": "web", "labels": {"team": "two"}}).delete_before_replace


def test_another_name_is_another_object_made_first(kube: Kube) -> None:
    applied = kube.create(CONFIG_MAP, "settings", metadata={"name": "settings"})
    change = kube.diff(applied, metadata={"name": "others"})
    assert [(one.path, one.replace) for one in change.changes] == [("metadata.name", True)]
    assert not change.delete_before_replace


def test_the_data_of_a_config_map_changes_in_place_if_the_provider_is_told_so(kube: Kube) -> None:
    applied = kube.create(CONFIG_MAP, "settings", data={"a": "1"})
    kube.configure(enableConfigMapMutable="true")
    assert not any(one.replace for one in kube.diff(applied, data={"a": "2"}).changes)


def test_a_label_changes_in_place(kube: Kube) -> None:
    applied = kube.namespace(team="one")
    change = kube.diff(applied, metadata={"name": "web", "labels": {"team": "two"}})
    assert [(one.path, one.replace) for one in change.changes] == [("metadata.labels.team", False)]


def test_an_object_that_exists_already_is_adopted_only_if_the_provider_is_told_so(kube: Kube) -> None:
    kube.namespace(team="one")
    with pytest.raises(Refused, match='namespaces "web" already exists'):
        kube.namespace(team="two")
    kube.configure(upsertExistingObjects="true")
    assert kube.namespace(team="two").state["metadata"]["labels"] == {"team": "two"}


def test_an_object_is_found_again_with_what_somebody_changed(kube: Kube) -> None:
    applied = kube.namespace(team="one")
    kube.configure(upsertExistingObjects="true")
    kube.namespace(team="two", more="3")
    found = kube.read(applied)
    assert found
    assert found[0]["metadata"]["labels"] == {"team": "two"}


def test_an_object_that_is_gone_is_read_as_gone(kube: Kube) -> None:
    applied = kube.namespace()
    kube.delete(applied)
    assert kube.read(applied) is None


def test_an_object_needs_its_namespace_and_a_preview_waits_for_it(kube: Kube) -> None:
    inputs = {"metadata": {"name": "settings", "namespace": "web"}}
    kube.preview_create(CONFIG_MAP, "settings", **inputs)
    with pytest.raises(Refused, match='namespaces "web" not found'):
        kube.create(CONFIG_MAP, "settings", **inputs)


def test_deleting_a_namespace_takes_what_is_in_it(kube: Kube) -> None:
    namespace = kube.namespace()
    inside = kube.create(CONFIG_MAP, "settings", metadata={"name": "settings", "namespace": "web"})
    kube.delete(namespace)
    assert kube.read(inside) is None


def test_a_namespace_that_every_cluster_has_stays_with_what_is_in_it(kube: Kube) -> None:
    inside = kube.create(CONFIG_MAP, "settings", metadata={"name": "settings", "namespace": "kube-system"})
    kube.configure(upsertExistingObjects="true")
    kube.delete(kube.namespace("kube-system", team="one"))
    assert kube.read(inside)


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({"metadata": {"name": "Web"}}, 'Invalid value: "Web": a lowercase RFC 1123'),
        ({"metadata": {"name": "web", "labels": {"a": "b c"}}}, 'metadata.labels: Invalid value: "b c"'),
        ({"metadata": {"name": "web"}, "specs": {}}, 'unknown field "specs"'),
    ],
)
def test_what_the_api_server_refuses(kube: Kube, inputs: Props, complaint: str) -> None:
    with pytest.raises(Refused) as refused:
        kube.create(NAMESPACE, "web", **inputs)
    assert complaint in str(refused.value)


def test_a_type_that_is_not_emulated_is_an_error(kube: Kube) -> None:
    with pytest.raises(Refused, match="knows no type kubernetes:core/v1:Secret"):
        kube.create("kubernetes:core/v1:Secret", "secret")


def test_a_setting_that_is_not_emulated_is_an_error(kube: Kube) -> None:
    with pytest.raises(Refused, match="knows no setting renderYamlToDirectory"):
        kube.configure(renderYamlToDirectory="here")


# Clusters


def test_objects_of_two_clusters_do_not_meet(kube: Kube, eks_api: Any) -> None:
    other = new_kube(eks_api)
    kube.namespace()
    assert other.namespace()


def test_nothing_is_planned_or_lost_while_a_cluster_is_unreachable(kube: Kube) -> None:
    applied = kube.namespace(team="one")
    kube.reach(reachable=False, skipUpdateUnreachable="true")
    assert kube.diff(applied, metadata={"name": "web", "labels": {"team": "two"}}) == Diff()
    assert kube.read(applied) == (applied.inputs, applied.state)


@pytest.mark.parametrize(
    ("settings", "variable", "seconds"),
    [({}, "", 30), ({"kubeClientSettings": '{"timeout": 12}'}, "5", 12), ({}, "5", 5), ({}, "60", 30)],
)
def test_a_silent_cluster_costs_two_dials_to_begin_with_and_one_for_each_object_of_a_definition(
    kube: Kube, monkeypatch: pytest.MonkeyPatch, settings: Props, variable: str, seconds: float
) -> None:
    kube.release("aws-load-balancer-controller")
    namespace = kube.namespace()
    binding = Resource(f"urn:pulumi:test::rehearsal::{BINDING}::web", "web/web")
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setenv("PULUMI_K8S_CLIENT_TIMEOUT", variable)
    set_reachable(Store.of_this_rehearsal(), kube.name, reachable=False, silent=True)
    kube.configure(skipUpdateUnreachable="true", **settings)
    assert waited == [2 * seconds]
    assert kube.diff(namespace, metadata={"name": "web"}) == Diff()
    assert waited == [2 * seconds]
    for _ in range(2):
        kube.provider.diff(binding, {}, {}, {})
    assert waited == [2 * seconds, seconds, seconds]


def test_what_must_reach_an_unreachable_cluster_fails(kube: Kube) -> None:
    applied = kube.namespace(team="one")
    kube.reach(reachable=False)
    with pytest.raises(Refused, match="configured Kubernetes cluster is unreachable"):
        kube.create(CONFIG_MAP, "settings")
    with pytest.raises(Refused, match="configured Kubernetes cluster is unreachable"):
        kube.update(applied, metadata={"name": "web"})
    with pytest.raises(Refused, match="configured Kubernetes cluster is unreachable"):
        kube.delete(applied)
    with pytest.raises(Refused, match="failed to read resource state due to unreachable cluster"):
        kube.read(applied)


def test_a_cluster_that_is_gone_from_aws_is_unreachable(kube: Kube, eks_api: Any) -> None:
    applied = kube.namespace()
    eks_api.delete_cluster(name=kube.name)
    kube.configure()
    with pytest.raises(Refused, match="no such host"):
        kube.delete(applied)


def test_objects_of_a_dead_cluster_can_be_dropped(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    applied = kube.namespace()
    monkeypatch.setenv("PULUMI_K8S_DELETE_UNREACHABLE", "true")
    kube.reach(reachable=False)
    kube.delete(applied)
    assert kube.read(applied) is None


def test_a_helm_release_of_a_dead_cluster_cannot_even_be_dropped(kube: Kube) -> None:
    release = kube.release("aws-load-balancer-controller")
    kube.reach(reachable=False, deleteUnreachable="true")
    with pytest.raises(Refused, match="can't delete Helm Release with unreachable cluster"):
        kube.delete(release)


def test_another_api_server_replaces_the_provider_unless_the_cluster_has_an_identifier() -> None:
    old, new = {"kubeconfig": kubeconfig("a", "https://one")}, {"kubeconfig": kubeconfig("a", "https://two")}
    assert replacing_settings(old, new) == {"kubeconfig"}
    assert replacing_settings(old, {"kubeconfig": UNKNOWN}) == {"kubeconfig"}
    assert replacing_settings(old, {**old, "deleteUnreachable": "true"}) == set()
    name = {"clusterIdentifier": "v1-36"}
    assert replacing_settings({**old, **name}, {"kubeconfig": UNKNOWN, **name}) == set()
    assert replacing_settings({**old, **name}, {**new, "clusterIdentifier": "v1-37"}) == {"clusterIdentifier"}


# Helm


def test_a_release_is_installed_upgraded_and_removed(kube: Kube) -> None:
    release = kube.release("aws-load-balancer-controller")
    assert release.resource.id == "kube-system/aws-load-balancer-controller"
    assert release.state["status"]["status"] == "deployed"
    change = kube.diff(release, **{**release.inputs, "version": "3.6.0"})
    assert [(one.path, one.replace) for one in change.changes] == [("version", False)]
    upgraded = kube.update(release, **{**release.inputs, "version": "3.6.0"})
    assert upgraded.state["status"]["revision"] == 2
    kube.delete(upgraded)
    assert kube.read(upgraded) is None


@pytest.mark.parametrize("key", ["name", "namespace"])
def test_another_name_or_namespace_is_another_release(kube: Kube, key: str) -> None:
    release = kube.release("aws-load-balancer-controller")
    change = kube.diff(release, **{**release.inputs, key: "other"})
    assert [(one.path, one.replace) for one in change.changes] == [(key, True)]


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"values": {}}, "Chart cannot be installed without a valid clusterName!"),
        ({"repositoryOpts": {}}, 'chart "aws-load-balancer-controller" not found in any repository'),
        ({"chart": "ingress-nginx"}, 'chart "ingress-nginx" not found in'),
        ({"devel": True}, "know no property devel"),
        ({"namespace": "elsewhere"}, 'namespaces "elsewhere" not found'),
    ],
)
def test_a_release_that_cannot_be(kube: Kube, more: Props, complaint: str) -> None:
    inputs: Props = {
        "chart": "aws-load-balancer-controller",
        "repositoryOpts": CHARTS,
        "version": "3.5.0",
        "values": {"clusterName": "x"},
    }
    with pytest.raises(Refused, match=complaint):
        kube.create(RELEASE, "lbc", **{**inputs, **more})


def test_a_release_makes_its_namespace_if_asked(kube: Kube) -> None:
    kube.release("appmesh-controller", namespace="appmesh-system", createNamespace=True)
    assert kube.create(CONFIG_MAP, "settings", metadata={"namespace": "appmesh-system"})


# Fields that somebody else has written


def test_a_field_that_somebody_has_edited_is_a_conflict_unless_it_is_forced(kube: Kube) -> None:
    wanted: Props = {"metadata": {"name": "web", "labels": {"team": "one"}}}
    applied = kube.namespace(team="one")
    edit_by_hand(kube.cluster, "Namespace", "", "web", fields={("metadata", "labels", "team"): "two"})
    for change in (kube.update, kube.preview_update):
        with pytest.raises(Refused, match="Apply failed with 1 conflict") as refused:
            change(applied, **wanted)
        assert 'conflict with "kubectl-edit" using v1: .metadata.labels.team' in str(refused.value)
    kube.configure(enablePatchForce="true")
    assert kube.update(applied, **wanted).state["metadata"]["labels"] == {"team": "one"}
    kube.configure()
    assert kube.update(applied, metadata={"name": "web", "labels": {"team": "three"}}), "what was taken is taken"


def test_an_annotation_forces_one_object(kube: Kube) -> None:
    applied = kube.namespace(team="one")
    edit_by_hand(kube.cluster, "Namespace", "", "web", fields={("metadata", "labels", "team"): "two"})
    forced = {"name": "web", "labels": {"team": "one"}, "annotations": {"pulumi.com/patchForce": "true"}}
    assert kube.update(applied, metadata=forced).state["metadata"]["labels"] == {"team": "one"}


def test_what_somebody_has_added_or_set_to_the_same_is_no_conflict_and_stays(kube: Kube) -> None:
    applied = kube.namespace(team="one")
    edit_by_hand(
        kube.cluster,
        "Namespace",
        "",
        "web",
        fields={("metadata", "labels", "own"): "1", ("metadata", "labels", "team"): "two"},
    )
    changed = kube.update(applied, metadata={"name": "web", "labels": {"team": "two"}})
    assert changed.state["metadata"]["labels"] == {"own": "1", "team": "two"}


# Target group bindings


def test_a_binding_needs_the_controller_and_a_preview_waits_for_it(kube: Kube, group: Props) -> None:
    kube.namespace()
    kube.preview_create(BINDING, "web", **binding(group))
    with pytest.raises(Refused, match='no matches for kind "TargetGroupBinding" in version'):
        kube.create(BINDING, "web", **binding(group))


def test_the_webhook_fills_in_what_is_left_out(ready: Kube, group: Props) -> None:
    bare = {"serviceRef": {"name": "web", "port": 80}, "targetGroupARN": group["TargetGroupArn"]}
    applied = ready.create(BINDING, "web", metadata={"name": "web", "namespace": "web"}, spec=bare)
    assert applied.state["spec"] == binding(group)["spec"]
    assert ready.update(applied, **applied.inputs).state["spec"] == binding(group)["spec"]


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"serviceRef": {"name": "web"}}, "spec.serviceRef.port: Required value"),
        ({"targetType": "lambda"}, 'spec.targetType: Unsupported value: "lambda": supported values: "instance", "ip"'),
        ({"vpcId": "vpc-1"}, 'unknown field "spec.vpcId"'),
        ({"nodeSelector": {}}, "TargetGroupBinding cannot set NodeSelector when TargetType is ip"),
        ({"vpcID": "vpc-00000000"}, "invalid VpcID vpc-00000000 doesnt match VpcID from TargetGroup arn:"),
        ({"ipAddressType": "ipv6"}, "invalid IP address type ipv4 for TargetGroup arn:"),
        ({"targetGroupProtocol": "HTTPS"}, "protocol differs (got HTTPS, expected HTTP)"),
        ({"targetGroupARN": "arn:gone"}, "TargetGroupNotFound"),
    ],
)
def test_a_binding_that_is_refused(ready: Kube, group: Props, spec: Props, complaint: str) -> None:
    with pytest.raises(Refused) as refused:
        ready.create(BINDING, "web", **binding(group, **spec))
    assert complaint in str(refused.value)
    assert "was not successfully created by the Kubernetes API server" in str(refused.value)


def test_a_binding_without_any_target_group_is_refused(ready: Kube) -> None:
    with pytest.raises(Refused, match="must provide either TargetGroupARN or TargetGroupName"):
        ready.create(
            BINDING,
            "web",
            metadata={"name": "web", "namespace": "web"},
            spec={"serviceRef": {"name": "web", "port": 80}},
        )


@pytest.mark.parametrize(
    ("field", "value"), [("targetGroupARN", "arn:b"), ("targetType", "instance"), ("vpcID", "vpc-1")]
)
def test_what_a_binding_is_bound_to_never_changes(ready: Kube, group: Props, field: str, value: str) -> None:
    applied = ready.create(BINDING, "web", **binding(group))
    with pytest.raises(Refused, match=f"TargetGroupBinding update may not change these immutable fields: spec.{field}"):
        ready.update(applied, **binding(group, **{field: value}))


def test_a_preview_shows_nothing_of_what_a_webhook_denies(ready: Kube, group: Props) -> None:
    applied = ready.create(BINDING, "web", **binding(group))
    second = ready.preview_create(BINDING, "other", **binding(group, "other"))
    assert second.state == second.inputs
    changed = ready.preview_update(applied, **binding(group, vpcID="vpc-1"))
    assert changed.state == changed.inputs
    with pytest.raises(Refused, match=r"spec\.serviceRef\.port: Required value"):
        ready.preview_create(BINDING, "third", **binding(group, "third", serviceRef={"name": "web"}))


def test_while_the_controller_is_down_nothing_is_written_not_even_in_a_preview_and_nothing_deleted(
    ready: Kube, group: Props
) -> None:
    applied = ready.create(BINDING, "web", **binding(group))
    chart = "aws-load-balancer-controller"
    set_answering(Store.of_this_rehearsal(), ready.name, chart, answering=False)
    other = binding(group, serviceRef={"name": "web", "port": 8080})
    for change in (ready.update, ready.preview_update):
        with pytest.raises(Refused, match="failed calling webhook") as refused:
            change(applied, **other)
        assert 'no endpoints available for service "aws-load-balancer-webhook-service"' in str(refused.value)
    for make in (ready.create, ready.preview_create):
        with pytest.raises(Refused, match="failed calling webhook"):
            make(BINDING, "other", **binding(group, "other"))
    with pytest.raises(Refused, match='timed out waiting for TargetGroupBinding "web/web" to be deleted'):
        ready.delete(applied)
    assert ready.namespace("other"), "no webhook is asked about it"
    set_answering(Store.of_this_rehearsal(), ready.name, chart, answering=True)
    ready.delete(ready.update(applied, **other))
    assert ready.read(applied) is None


def test_a_field_of_a_binding_once_set_cannot_be_left_out(ready: Kube, group: Props) -> None:
    applied = ready.create(BINDING, "web", **binding(group))
    without = binding(group)
    del without["spec"]["vpcID"]
    with pytest.raises(Refused, match=r"may not change these immutable fields: spec\.vpcID"):
        ready.update(applied, **without)


def test_the_service_of_a_binding_may_change(ready: Kube, group: Props) -> None:
    applied = ready.create(BINDING, "web", **binding(group))
    changed = ready.update(applied, **binding(group, serviceRef={"name": "web", "port": 8080}))
    assert changed.state["spec"]["serviceRef"]["port"] == 8080


def test_a_second_binding_for_one_group_is_refused_in_the_same_cluster(ready: Kube, group: Props) -> None:
    ready.create(BINDING, "web", **binding(group))
    with pytest.raises(Refused, match=r"is already bound to following TargetGroupBindings \[web/web\]"):
        ready.create(BINDING, "other", **binding(group, "other"))


def test_a_binding_outlives_its_controller_and_then_hangs(ready: Kube, group: Props) -> None:
    applied = ready.create(BINDING, "web", **binding(group))
    release = Applied(
        Resource(f"urn:pulumi:test::rehearsal::{RELEASE}::lbc", "kube-system/aws-load-balancer-controller"),
        {},
        {"name": "aws-load-balancer-controller", "namespace": "kube-system"},
    )
    ready.delete(release)
    with pytest.raises(Refused, match='timed out waiting for TargetGroupBinding "web/web" to be deleted'):
        ready.delete(applied)
    ready.release("aws-load-balancer-controller")
    ready.delete(applied)
    assert ready.read(applied) is None


def test_an_arn_that_is_not_known_yet_previews_as_it_is(ready: Kube, group: Props) -> None:
    applied = ready.preview_create(BINDING, "web", **binding(group, targetGroupARN=UNKNOWN))
    assert applied.resource.id == ""
    assert applied.state["spec"]["targetGroupARN"] == UNKNOWN


# App Mesh


@pytest.fixture
def meshed(kube: Kube) -> Kube:
    """Return a cluster with the App Mesh controller, and a mesh that selects the namespace `web`."""
    kube.namespace(mesh="one")
    kube.release("appmesh-controller", namespace="kube-system")
    kube.create(MESH, "one", metadata={"name": "one"}, spec={"namespaceSelector": {"matchLabels": {"mesh": "one"}}})
    return kube


def virtual_node(**spec: Any) -> Props:
    return {
        "metadata": {"name": "api", "namespace": "web"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "api"}},
            "listeners": [{"portMapping": {"port": 50051, "protocol": "grpc"}}],
            "serviceDiscovery": {
                "awsCloudMap": {
                    "namespaceName": "a.example.com",
                    "serviceName": "api",
                    "attributes": [{"key": "ver", "value": "v1-36"}],
                }
            },
            **spec,
        },
    }


def test_a_virtual_node_joins_the_one_mesh_that_selects_its_namespace(meshed: Kube) -> None:
    spec = meshed.create(VIRTUAL_NODE, "api", **virtual_node()).state["spec"]
    assert spec["awsName"] == "api_web"
    assert spec["meshRef"]["name"] == "one"


def test_a_namespace_that_no_mesh_selects_has_no_virtual_nodes(meshed: Kube) -> None:
    meshed.namespace("other")
    with pytest.raises(
        Refused, match="failed to find matching mesh for namespace: other, expecting 1 but found 0"
    ) as refused:
        meshed.create(VIRTUAL_NODE, "api", **{**virtual_node(), "metadata": {"name": "api", "namespace": "other"}})
    assert 'admission webhook "vvirtualnode.appmesh.k8s.aws" denied the request' in str(refused.value)


def test_two_meshes_for_one_namespace_are_refused(meshed: Kube) -> None:
    meshed.create(MESH, "all", metadata={"name": "all"}, spec={"namespaceSelector": {}})
    with pytest.raises(Refused, match="found multiple matching meshes for namespace: web, expecting 1 but found 2"):
        meshed.create(VIRTUAL_NODE, "api", **virtual_node())


def test_the_mesh_needs_its_controller(kube: Kube) -> None:
    with pytest.raises(Refused, match='no matches for kind "Mesh"'):
        kube.create(MESH, "one", metadata={"name": "one"}, spec={})


def test_cloud_map_attributes_never_change_in_place(meshed: Kube) -> None:
    applied = meshed.create(VIRTUAL_NODE, "api", **virtual_node())
    other = virtual_node()
    other["spec"]["serviceDiscovery"]["awsCloudMap"]["attributes"].append({"key": "env", "value": "dev"})
    with pytest.raises(
        Refused, match=r"VirtualNode update may not change these fields: spec\.serviceDiscovery\.awsCloudMap"
    ):
        meshed.update(applied, **other)


@pytest.mark.parametrize(
    ("token", "manifest"),
    [
        (MESH, {"metadata": {"name": "two"}, "spec": {}}),
        (VIRTUAL_NODE, virtual_node()),
        (VIRTUAL_SERVICE, {"metadata": {"name": "api", "namespace": "web"}, "spec": {}}),
        (VIRTUAL_ROUTER, {"metadata": {"name": "api", "namespace": "web"}, "spec": {}}),
    ],
)
def test_the_name_in_aws_never_changes(meshed: Kube, token: str, manifest: Props) -> None:
    applied = meshed.create(token, "thing", **manifest)
    with pytest.raises(Refused, match=r"update may not change these fields: spec\.awsName"):
        meshed.update(applied, **{**manifest, "spec": {**manifest["spec"], "awsName": "another"}})


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"listeners": []}, "VirtualNode-api selects pods and has no listener"),
        ({"listeners": [{"portMapping": {"port": 1, "protocol": "udp"}}]}, "Unsupported value"),
        ({"listeners": [{"portMapping": {"port": 0, "protocol": "grpc"}}]}, "spec.listeners[0].portMapping.port"),
        (
            {"backends": [{"virtualService": {"virtualServiceRef": {"name": "a"}}}] * 2},
            "VirtualNode-api has duplicate VirtualServiceReferences a",
        ),
        (
            {
                "serviceDiscovery": {
                    "awsCloudMap": {
                        "namespaceName": "n",
                        "serviceName": "s",
                        "attributes": [{"key": "k", "value": "v" * 1025}],
                    }
                }
            },
            "spec.serviceDiscovery.awsCloudMap.attributes[0].value: Invalid value",
        ),
    ],
)
def test_a_virtual_node_that_is_refused(meshed: Kube, spec: Props, complaint: str) -> None:
    with pytest.raises(Refused) as refused:
        meshed.create(VIRTUAL_NODE, "api", **virtual_node(**spec))
    assert complaint in str(refused.value)


def test_a_listener_needs_service_discovery(meshed: Kube) -> None:
    node = virtual_node()
    del node["spec"]["serviceDiscovery"]
    with pytest.raises(Refused, match="ServiceDiscovery must be specified when a listener is specified"):
        meshed.create(VIRTUAL_NODE, "api", **node)


def test_two_routes_of_one_name_are_refused(meshed: Kube) -> None:
    with pytest.raises(Refused, match="VirtualRouter-api has duplicate route entries for one"):
        meshed.create(
            VIRTUAL_ROUTER,
            "api",
            metadata={"name": "api", "namespace": "web"},
            spec={"routes": [{"name": "one"}, {"name": "one"}]},
        )


def test_a_deletion_waits_until_the_controller_has_let_go(
    ready: Kube, group: Props, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PATIENCE_SECONDS", 60.0)
    applied = ready.create(BINDING, "web", **binding(group))
    cluster = ready.cluster
    annotate(cluster, applied.state, finalizers=["elbv2.k8s.aws/resources"])
    deleting = threading.Thread(target=lambda: ready.delete(applied))
    deleting.start()
    while "deletionTimestamp" not in cluster.all("TargetGroupBinding")[0]["metadata"]:
        time.sleep(0.01)
    assert deleting.is_alive()
    let_go(cluster, applied.state)
    deleting.join()
    assert cluster.all("TargetGroupBinding") == []


def test_a_controller_that_does_not_let_go_fails_the_deletion_and_the_object_stays(ready: Kube, group: Props) -> None:
    applied = ready.create(BINDING, "web", **binding(group))
    cluster = ready.cluster
    annotate(cluster, applied.state, finalizers=["elbv2.k8s.aws/resources"])
    with pytest.raises(Refused, match=r"its controller has not removed elbv2\.k8s\.aws/resources"):
        ready.delete(applied)
    assert ready.read(applied) is not None


def test_what_a_controller_wrote_on_an_object_survives_an_update_and_is_no_difference(
    ready: Kube, group: Props
) -> None:
    applied = ready.create(BINDING, "web", **binding(group))
    cluster = ready.cluster
    mark = {"elbv2.k8s.aws/checkpoint": "seen"}
    annotate(cluster, applied.state, finalizers=["elbv2.k8s.aws/resources"], annotations=mark)
    changed = ready.update(applied, **binding(group, serviceRef={"name": "web", "port": 8080}))
    [live] = cluster.all("TargetGroupBinding")
    assert (live["metadata"]["annotations"], live["spec"]["serviceRef"]["port"]) == (mark, 8080)
    read = ready.read(changed)
    assert read is not None
    assert read[0] == changed.inputs
