"""The emulated access entry, one of which EKS itself makes for whoever makes a cluster.

From the API's documentation; moto has none. Refuses to let anybody in or keep anybody out.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from rehearsal.cloud.eks_documents import ACCESS_ENTRIES, ACCESS_POLICIES
from rehearsal.cloud.session import AwsError
from rehearsal.plugins.aws.calls import arn_of
from rehearsal.plugins.aws.eks.standing import needed_cluster
from rehearsal.plugins.aws.table import ALWAYS, COMPUTED, GIVEN, OUTPUT, REQUIRED_REPLACES, Field, Type, set_of

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def let_creator_in(aws: Aws, cluster: str) -> None:
    """Make the entry that EKS makes for whoever makes a cluster, under the principal and not its session."""
    caller = aws.ask("sts", "get_caller_identity")["Arn"]
    principal = re.sub(r":sts:(.*):assumed-role/([^/]+)/.*", r":iam:\1:role/\2", caller).replace(":sts:", ":iam:")
    arn = arn_of(aws, "eks", "access-entry", cluster, secrets.token_hex(16))
    entry = {"clusterName": cluster, "principalArn": principal, "accessEntryArn": arn, "type": "STANDARD"}
    aws.store.put(ACCESS_ENTRIES, f"{cluster}:{principal}", {**entry, "tagsAll": {}})


def _create(aws: Aws, inputs: Props) -> str:
    own = needed_cluster(aws, "CreateAccessEntry", inputs["clusterName"])
    if own["authenticationMode"] == "CONFIG_MAP":
        raise AwsError(
            "eks",
            "CreateAccessEntry",
            "InvalidRequestException",
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this "
            "operation.",
        )
    key = f"{inputs['clusterName']}:{inputs['principalArn']}"
    if aws.store.get(ACCESS_ENTRIES, key):
        raise AwsError(
            "eks",
            "CreateAccessEntry",
            "ResourceInUseException",
            "The specified access entry resource is already in use on this cluster.",
            status=409,
        )
    arn = arn_of(aws, "eks", "access-entry", inputs["clusterName"], secrets.token_hex(16))
    aws.store.put(ACCESS_ENTRIES, key, {**inputs, "accessEntryArn": arn})
    return key


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    found = aws.store.get(ACCESS_ENTRIES, made)
    if found is None:
        return None
    return {
        **known,
        "accessEntryArn": found["accessEntryArn"],
        "kubernetesGroups": found.get("kubernetesGroups", []),
        "userName": found.get("userName", found["principalArn"]),
        "tagsAll": found["tagsAll"],
    }


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    needed_cluster(aws, "UpdateAccessEntry", new["clusterName"])
    aws.store.put(ACCESS_ENTRIES, made, {**new, "accessEntryArn": old["accessEntryArn"]})


def _delete(aws: Aws, made: str, state: Props) -> None:
    aws.store.delete(ACCESS_ENTRIES, made)
    for key, policy in aws.store.all(ACCESS_POLICIES).items():
        if (policy["clusterName"], policy["principalArn"]) == (state["clusterName"], state["principalArn"]):
            aws.store.delete(ACCESS_POLICIES, key)


TYPE = Type(
    "aws:eks/accessEntry:AccessEntry",
    "EKS Access Entry",
    {
        "clusterName": REQUIRED_REPLACES,
        "kubernetesGroups": set_of(computed=True),
        "principalArn": REQUIRED_REPLACES,
        "tags": GIVEN,
        "type": Field(default="STANDARD", replaces=ALWAYS),
        "userName": COMPUTED,
        "accessEntryArn": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)
