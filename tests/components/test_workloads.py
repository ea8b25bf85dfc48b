"""What pods need outside their cluster: roles, and databases that let them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.workloads import Workloads, WorkloadsArgs
from settings.workloads import Egress
from tests.conftest import record

if TYPE_CHECKING:
    from tests.conftest import Recorder

ROLE = "arn:aws:iam::123456789012:role/checkout"
DATABASE = "sg-0a1b2c3d4e5f67890"


def _recorded() -> Recorder:
    egress = Egress.model_validate({"securityGroupId": DATABASE, "ports": (5432, 6379)})
    args = WorkloadsArgs(
        cluster_name="prod-v1-36",
        security_group_id="sg-cluster",
        identities={"shop/checkout": ROLE},
        egress=[egress],
    )
    return record(lambda: Workloads("v1-36", args) and None)


def test_a_workloads_pods_have_their_role_in_a_cluster() -> None:
    association = _recorded().of("PodIdentityAssociation")["v1-36-shop/checkout"].inputs
    assert association == {
        "clusterName": "prod-v1-36",
        "namespace": "shop",
        "serviceAccount": "checkout",
        "roleArn": ROLE,
    }


def test_a_database_lets_the_cluster_in_by_a_rule_a_port() -> None:
    rules = _recorded().of("SecurityGroupIngressRule")
    assert {name: (rule.inputs["fromPort"], rule.inputs["toPort"]) for name, rule in rules.items()} == {
        f"v1-36-to-{DATABASE}-5432": (5432, 5432),
        f"v1-36-to-{DATABASE}-6379": (6379, 6379),
    }
    assert {rule.inputs["securityGroupId"] for rule in rules.values()} == {DATABASE}
    assert {rule.inputs["referencedSecurityGroupId"] for rule in rules.values()} == {"sg-cluster"}
