"""A binding: every field that the controller would fill is said, and it waits for what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.binding import Binding, BindingArgs
from settings.bindings import AUTO_MODE, CONTROLLERS, BindingApi
from tests.conftest import record, settings_of, stand_in

if TYPE_CHECKING:
    from tests.conftest import Recorded


def _binding(
    stack: str = "prod",
    *,
    target_group_arn: str = "arn:web-v1-36",
    api: BindingApi = CONTROLLERS,
    registers_as: dict[str, str] | None = None,
) -> Recorded:
    route = settings_of(stack).routes["web"]

    def declare() -> None:
        args = BindingArgs(
            route="web",
            api=api,
            service=route.service,
            target_type=route.target_type,
            protocol=route.protocol,
            target_group_arn=target_group_arn,
            vpc_id="vpc-1",
            registers_as=registers_as or {},
            after=[stand_in("preview-rule"), stand_in("controller")],
            deleted_with=stand_in("cluster"),
        )
        Binding("web-v1-36", args)

    return record(declare).of("TargetGroupBinding")["web-v1-36"]


def test_a_binding_ties_a_service_to_its_clusters_own_target_group() -> None:
    spec = _binding().inputs["spec"]
    assert spec["serviceRef"] == {"name": "web", "port": 80}
    assert spec["targetGroupARN"] == "arn:web-v1-36"


def test_the_five_fields_that_the_webhook_fills_on_creation_are_said() -> None:
    for stack, target_type in (("prod", "ip"), ("dev", "instance")):
        spec = _binding(stack).inputs["spec"]
        assert spec["targetType"] == target_type
        assert (spec["targetGroupProtocol"], spec["ipAddressType"], spec["vpcID"]) == ("HTTP", "ipv4", "vpc-1")


def test_the_binding_of_auto_mode_is_of_its_own_kind_and_is_sent_what_that_knows() -> None:
    binding = _binding(api=AUTO_MODE)
    assert binding.type == "kubernetes:eks.amazonaws.com/v1:TargetGroupBinding"
    assert binding.inputs["spec"].keys() == {"serviceRef", "targetGroupARN", "targetType"}


def test_rules_of_security_groups_are_left_to_the_stack_and_a_group_is_never_shared_by_clusters() -> None:
    assert _binding().inputs["spec"].keys().isdisjoint({"networking", "multiClusterTargetGroup"})


def test_a_binding_has_a_fixed_name_in_the_namespace_of_its_service() -> None:
    assert _binding().inputs["metadata"] == {"name": "web", "namespace": "web"}


def test_a_binding_waits_for_its_preview_rule_and_its_controller() -> None:
    after = {urn.split("::")[-1] for urn in _binding().dependencies}
    assert {"preview-rule", "controller"} <= after


def test_a_binding_is_dropped_with_its_cluster() -> None:
    assert _binding().deleted_with.endswith("::cluster")


def test_another_target_group_replaces_the_binding_delete_first_as_the_webhook_wants_it() -> None:
    binding = _binding()
    assert binding.delete_before_replace
    assert binding.replace_on_changes == (
        "spec.targetGroupARN",
        "spec.targetType",
        "spec.ipAddressType",
        "spec.vpcID",
    )
