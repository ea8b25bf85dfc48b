"""What EKS and Service Quotas answer where moto has nothing, as the SDK and the checks of `cutover` understand it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.eks_api import INSIGHT
from rehearsal.cloud.eks_limits import ADDON_VERSIONS
from tests.rehearsal.plugins.test_aws_clusters_and_roles import (
    ASSUME,
    NODE_GROUP,
    POD_IDENTITY,
    ROLE,
    cluster,
    node_group_inputs,
)

if TYPE_CHECKING:
    from tests.rehearsal.conftest import Account, Front, Made, Network


@pytest.fixture(scope="module")
def made(account: Account, network: Network) -> Made:
    """Return a cluster."""
    return cluster(account, network, account.create(ROLE, "front", assumeRolePolicy=ASSUME), version="1.36")


def refused(operation: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        operation(**parameters)
    return caught.value.response["Error"]["Code"]


def test_a_cluster_is_told_as_the_provider_knows_it(front: Front, made: Made) -> None:
    told = front.client("eks").describe_cluster(name=made.id)["cluster"]
    known = made.state
    assert (told["endpoint"], told["certificateAuthority"]) == (known["endpoint"], known["certificateAuthority"])
    assert told["identity"]["oidc"]["issuer"] == known["identities"][0]["oidcs"][0]["issuer"]
    assert (told["version"], told["status"], told["arn"]) == ("1.36", "ACTIVE", known["arn"])
    assert refused(front.client("eks").describe_cluster, name="none") == "ResourceNotFoundException"


def test_a_node_group_has_the_tags_that_the_provider_gave_it_last(front: Front, made: Made, network: Network) -> None:
    role = front.account.create(ROLE, "nodes", assumeRolePolicy=ASSUME)
    given, eks = node_group_inputs(network, role, made.id), front.client("eks")
    nodes = front.account.create(NODE_GROUP, "nodes", **given, tags={"a": "1", "b": "2"})
    asked = {"clusterName": made.id, "nodegroupName": nodes.state["nodeGroupName"]}
    assert eks.describe_nodegroup(**asked)["nodegroup"]["tags"] == {"Stack": "test", "a": "1", "b": "2"}
    nodes = front.account.update(nodes, **given, tags={"a": "3"})
    assert eks.describe_nodegroup(**asked)["nodegroup"]["tags"] == {"Stack": "test", "a": "3"}
    front.account.delete(nodes)
    assert refused(eks.describe_nodegroup, **asked) == "ResourceNotFoundException"


def test_versions_of_an_addon_are_told_where_they_are_played(front: Front) -> None:
    eks, asked = front.client("eks"), {"addonName": "coredns", "kubernetesVersion": "1.36"}
    assert refused(eks.describe_addon_versions, **asked) == "ServerException"
    front.store.put(ADDON_VERSIONS, "coredns:1.36", {"versions": ["v1.14.0-eksbuild.1"]})
    (told,) = eks.describe_addon_versions(**asked)["addons"]
    assert [one["addonVersion"] for one in told["addonVersions"]] == ["v1.14.0-eksbuild.1"]
    front.store.delete(ADDON_VERSIONS, "coredns:1.36")


def test_the_entry_of_who_made_a_cluster_is_told_without_tags_of_a_stack(front: Front, made: Made) -> None:
    eks, me = front.client("eks"), front.client("sts").get_caller_identity()["Arn"].replace(":sts:", ":iam:")
    entry = eks.describe_access_entry(clusterName=made.id, principalArn=me)["accessEntry"]
    assert (entry["principalArn"], entry["tags"]) == (me, {})
    other = "arn:aws:iam::123456789012:role/a/b"
    assert refused(eks.describe_access_entry, clusterName=made.id, principalArn=other) == "ResourceNotFoundException"


def test_the_rest_of_eks_stays_with_moto(front: Front, made: Made) -> None:
    assert made.id in front.client("eks").list_clusters()["clusters"]


def test_the_ends_of_support_are_those_of_the_calendar(front: Front) -> None:
    eks = front.client("eks")
    (told,) = eks.describe_cluster_versions(clusterVersions=["1.36"], includeAll=True)["clusterVersions"]
    assert told["clusterVersion"] == "1.36"
    ends = (told["endOfStandardSupportDate"].date(), told["endOfExtendedSupportDate"].date())
    assert ends == (date(2027, 8, 2), date(2028, 8, 2))
    every = eks.describe_cluster_versions(includeAll=True)["clusterVersions"]
    assert {"1.34", "1.35", "1.36"} <= {one["clusterVersion"] for one in every}
    assert eks.describe_cluster_versions(clusterVersions=["1.99"])["clusterVersions"] == []
    assert refused(eks.describe_cluster_versions, defaultOnly=True) == "InvalidParameterException"


def test_eks_finds_nothing_in_a_cluster_until_it_is_played(front: Front, made: Made) -> None:
    eks, name = front.client("eks"), made.id
    found = {
        "clusterName": name,
        "name": "Deprecated APIs removed in Kubernetes v1.37",
        "category": "UPGRADE_READINESS",
        "kubernetesVersion": "1.37",
        "insightStatus": {"status": "ERROR", "reason": "Deprecated API usage detected"},
        "recommendation": "Update manifests and API clients",
        "categorySpecificSummary": {"deprecationDetails": [{"usage": "/apis/flowcontrol.apiserver.k8s.io/v1beta3"}]},
    }
    assert eks.list_insights(clusterName=name)["insights"] == []
    front.store.put(INSIGHT, "found", found)
    front.store.put(INSIGHT, "of-another", {**found, "clusterName": "another"})
    (listed,) = eks.list_insights(
        clusterName=name, filter={"categories": ["UPGRADE_READINESS"], "kubernetesVersions": ["1.37"]}
    )["insights"]
    assert (listed["id"], listed["name"], "recommendation" in listed) == ("found", found["name"], False)
    assert eks.list_insights(clusterName=name, filter={"kubernetesVersions": ["1.38"]})["insights"] == []
    assert eks.list_insights(clusterName=name, filter={"statuses": ["PASSING"]})["insights"] == []
    told = eks.describe_insight(clusterName=name, id="found")["insight"]
    assert told["recommendation"] == "Update manifests and API clients"
    assert told["categorySpecificSummary"]["deprecationDetails"][0]["usage"].endswith("v1beta3")
    assert refused(eks.describe_insight, clusterName=name, id="of-another") == "ResourceNotFoundException"
    assert refused(eks.list_insights, clusterName="none") == "ResourceNotFoundException"


def test_a_refresh_of_insights_has_completed_once_it_is_asked_for(front: Front, made: Made) -> None:
    eks, name = front.client("eks"), made.id
    assert refused(eks.describe_insights_refresh, clusterName=name) == "ResourceNotFoundException"
    assert eks.start_insights_refresh(clusterName=name)["status"] == "IN_PROGRESS"
    assert eks.describe_insights_refresh(clusterName=name)["status"] == "COMPLETED"


def test_pod_identity_associations_are_those_of_the_provider(front: Front, made: Made) -> None:
    eks, name, role = front.client("eks"), made.id, "arn:aws:iam::123456789012:role/lbc"
    account = {"namespace": "kube-system", "serviceAccount": "aws-load-balancer-controller"}
    assert eks.list_pod_identity_associations(clusterName=name)["associations"] == []
    association = front.account.create(POD_IDENTITY, "lbc", clusterName=name, roleArn=role, **account)
    (listed,) = eks.list_pod_identity_associations(clusterName=name)["associations"]
    assert listed.items() >= {**account, "clusterName": name, "associationId": association.id}.items()
    told = eks.describe_pod_identity_association(clusterName=name, associationId=association.id)["association"]
    assert told.items() >= {**listed, "roleArn": role, "tags": {"Stack": "test"}}.items()
    assert eks.list_pod_identity_associations(clusterName=name, namespace="web")["associations"] == []
    unknown = {"clusterName": name, "associationId": "a-none"}
    assert refused(eks.describe_pod_identity_association, **unknown) == "ResourceNotFoundException"


@pytest.mark.parametrize("code", ["L-1216C47A", "L-34B43A08"])
def test_ec2_gives_a_new_account_five_vcpu(front: Front, code: str) -> None:
    quota = front.client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]
    assert (quota["QuotaCode"], quota["Value"]) == (code, 5.0)


def test_other_quotas_stay_with_moto(front: Front) -> None:
    quotas = front.client("service-quotas")
    assert quotas.get_service_quota(ServiceCode="vpc", QuotaCode="L-7E9ECCDB")["Quota"]["Value"] == 50.0
    assert refused(quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-none") == "NoSuchResourceException"
