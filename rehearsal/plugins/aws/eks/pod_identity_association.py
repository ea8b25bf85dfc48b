"""The emulated Pod Identity association: one for each service account of a cluster.

From the API's documentation; moto has none. Refuses to hand out credentials.
"""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING

from rehearsal.cloud.eks_documents import POD_IDENTITIES
from rehearsal.cloud.session import AwsError
from rehearsal.plugins.aws.calls import arn_of
from rehearsal.plugins.aws.eks.standing import needed_cluster
from rehearsal.plugins.aws.eks.stored import forgetter
from rehearsal.plugins.aws.table import COMPUTED, GIVEN, OUTPUT, REQUIRED, REQUIRED_REPLACES, Type

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

_ALPHANUMERIC = string.ascii_lowercase + string.digits


def _create(aws: Aws, inputs: Props) -> str:
    needed_cluster(aws, "CreatePodIdentityAssociation", inputs["clusterName"])
    pair = ("clusterName", "namespace", "serviceAccount")
    with aws.judging:
        for key, other in aws.store.all(POD_IDENTITIES).items():
            if all(other[name] == inputs[name] for name in pair):
                raise AwsError(
                    "eks",
                    "CreatePodIdentityAssociation",
                    "ResourceInUseException",
                    f"Association already exists: {key}",
                    status=409,
                )
        made = "a-" + "".join(secrets.choice(_ALPHANUMERIC) for _ in range(17))
        arn = arn_of(aws, "eks", "podidentityassociation", inputs["clusterName"], made)
        aws.store.put(POD_IDENTITIES, made, {**inputs, "associationArn": arn})
    return made


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    found = aws.store.get(POD_IDENTITIES, made)
    if found is None:
        return None
    return {
        **known,
        "associationId": made,
        "associationArn": found["associationArn"],
        "disableSessionTags": found.get("disableSessionTags", False),
        "externalId": "",
        "tagsAll": found["tagsAll"],
    }


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    needed_cluster(aws, "UpdatePodIdentityAssociation", new["clusterName"])
    aws.store.put(POD_IDENTITIES, made, {**new, "associationArn": old["associationArn"]})


TYPE = Type(
    "aws:eks/podIdentityAssociation:PodIdentityAssociation",
    "EKS Pod Identity Association",
    {
        "clusterName": REQUIRED_REPLACES,
        "disableSessionTags": COMPUTED,
        "namespace": REQUIRED_REPLACES,
        "roleArn": REQUIRED,
        "serviceAccount": REQUIRED_REPLACES,
        "tags": GIVEN,
        "targetRoleArn": GIVEN,
        "associationArn": OUTPUT,
        "associationId": OUTPUT,
        "externalId": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=forgetter(POD_IDENTITIES),
)
