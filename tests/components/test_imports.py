"""What can be taken over has the names that the program gives, and of a route that is nothing else is declared."""

from __future__ import annotations

from typing import Any

import pytest

from settings import imports
from tests.conftest import Recorder, record_program, stack_config
from tests.settings.editing import EXISTING, edited, settings_of

_RULE = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:listener-rule/app/shop/1/2/3"
_GROUP = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/shop/"
_KINDS = (
    imports.LOAD_BALANCER,
    imports.LISTENER,
    imports.LISTENER_RULE,
    imports.TARGET_GROUP,
    imports.SECURITY_GROUP,
    imports.INGRESS_RULE,
    imports.EGRESS_RULE,
    imports.RECORD,
)


def _of_the_shared_layer_and_routes(recorder: Recorder) -> set[tuple[str, str]]:
    own = ("SharedLoadBalancer", "eks-cutover:route:Route")
    made = {
        (one.type, one.name) for one in recorder.recorded if one.type in _KINDS and any(at in one.parent for at in own)
    }
    return {(kind, name) for kind, name in made if "-validation-" not in name}


_DUALSTACK = {
    "network": EXISTING,
    "loadBalancers.public.ipAddressType": "dualstack",
    "loadBalancers.private.ingressCidrs": ["10.0.0.0/8"],
}


@pytest.mark.parametrize(("stack", "changes"), [("dev", {}), ("prod", {}), ("prod", _DUALSTACK)])
def test_what_can_be_imported_is_what_the_program_declares(stack: str, changes: dict[str, Any]) -> None:
    declared = _of_the_shared_layer_and_routes(record_program(edited(stack, changes), stack=stack))
    assert imports.importable(settings_of(stack, changes)) == declared


def _importing(*, previews: tuple[str, ...] = ()) -> Recorder:
    config = stack_config("dev")
    ids = {"web-weighted": _RULE} | {f"web-{key}": f"{_GROUP}{place}" for place, key in enumerate(("v1-35", "v1-36"))}
    ids |= {f"web-{key}-preview": f"{_RULE}{place}" for place, key in enumerate(previews)}
    return record_program({**config, "eks-cutover:import": {"formerOwner": "terraform", "ids": ids}})


def test_of_a_route_that_is_taken_over_nothing_else_is_declared_meanwhile() -> None:
    def rules_and_bindings(recorder: Recorder) -> set[str]:
        return {*recorder.of("ListenerRule"), *recorder.of("TargetGroupBinding")}

    every = rules_and_bindings(record_program(stack_config("dev")))
    left_out = {"web-v1-35-preview", "web-v1-36-preview", "web-v1-35", "web-v1-36"}
    assert every - rules_and_bindings(_importing()) == left_out
    assert every - rules_and_bindings(_importing(previews=("v1-36",))) == left_out - {"web-v1-36-preview"}


def test_what_is_taken_over_keeps_what_aws_never_changes_of_it() -> None:
    recorder = record_program(stack_config("dev"))

    def kept(kind: str, name: str) -> Any:
        one = recorder.of(kind)[name]
        assert not one.delete_before_replace  # what replaces it gets a name of its own
        return one.ignore_changes

    assert kept("LoadBalancer", "public") == ("name",)
    assert kept("SecurityGroup", "public-alb") == ("name", "description")
    assert kept("TargetGroup", "web-v1-35") == ("name", "port")
