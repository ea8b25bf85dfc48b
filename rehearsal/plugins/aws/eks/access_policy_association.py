"""The emulated association of an access policy with an access entry.

From the API's documentation; moto has none. Refuses to judge what a policy allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.eks_documents import ACCESS_ENTRIES, ACCESS_POLICIES, NO_SUCH_ENTRY
from rehearsal.cloud.session import AwsError
from rehearsal.plugins.aws.eks.standing import needed_cluster
from rehearsal.plugins.aws.eks.stored import forgetter
from rehearsal.plugins.aws.table import ALWAYS, OUTPUT, REQUIRED_REPLACES, Field, Type, block, one_of, set_of

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _create(aws: Aws, inputs: Props) -> str:
    cluster, principal, policy = inputs["clusterName"], inputs["principalArn"], inputs["policyArn"]
    needed_cluster(aws, "AssociateAccessPolicy", cluster)
    if not policy.startswith(f"arn:{aws.partition}:eks::aws:cluster-access-policy/"):
        raise AwsError(
            "eks", "AssociateAccessPolicy", "InvalidParameterException", "The policyArn parameter format is not valid"
        )
    if aws.store.get(ACCESS_ENTRIES, f"{cluster}:{principal}") is None:
        raise AwsError(
            "eks",
            "AssociateAccessPolicy",
            "ResourceNotFoundException",
            NO_SUCH_ENTRY,
            status=404,
        )
    key = f"{cluster}#{principal}#{policy}"
    aws.store.put(ACCESS_POLICIES, key, inputs)
    return key


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    found = aws.store.get(ACCESS_POLICIES, made)
    return None if found is None else {**known, "associatedAt": known.get("associatedAt", ""), "modifiedAt": ""}


TYPE = Type(
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
    "EKS Access Policy Association",
    {
        "accessScope": block(
            {
                "namespaces": set_of(replaces=ALWAYS),
                "type": Field(required=True, replaces=ALWAYS, check=one_of("cluster", "namespace")),
            },
            required=True,
            replaces=ALWAYS,
        ),
        "clusterName": REQUIRED_REPLACES,
        "policyArn": REQUIRED_REPLACES,
        "principalArn": REQUIRED_REPLACES,
        "associatedAt": OUTPUT,
        "modifiedAt": OUTPUT,
    },
    create=_create,
    read=_read,
    delete=forgetter(ACCESS_POLICIES),
)
