"""Who may assume a role: moto lends any role to anybody, also one that is not there.

Owns what of a trust policy is looked at: the account of the caller, and the external id. Refuses to own which roles
there are, and what a role may do, which nobody here asks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from rehearsal.cloud.session import ORGANIZATION_ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def refusal(caller: str, asked: Mapping[str, str]) -> str:
    """Return what STS says to a caller, by its account, who may not assume a role; empty where it may."""
    arn = asked.get("RoleArn", "")
    account, name = arn.split(":")[4], arn.rsplit("/", 1)[-1]
    partition = iam_backends[account][arn.split(":")[1]]
    roles = {role.arn: role for role in partition.roles.values()}
    trusted = (name == ORGANIZATION_ROLE and caller == DEFAULT_ACCOUNT_ID) or (
        arn in roles
        and any(
            _lets_in(statement, caller, asked.get("ExternalId", ""))
            for statement in _statements(roles[arn].assume_role_policy_document)
        )
    )
    return "" if trusted else f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {arn}"


def _statements(policy: Any) -> Iterator[Mapping[str, Any]]:
    document = json.loads(policy) if isinstance(policy, str) else policy
    yield from document["Statement"]


def _lets_in(statement: Mapping[str, Any], caller: str, external_id: str) -> bool:
    principals: Any = statement.get("Principal", {}).get("AWS", [])
    named = [principals] if isinstance(principals, str) else principals
    wanted: Any = statement.get("Condition", {}).get("StringEquals", {}).get("sts:ExternalId")
    accounts = {one.split(":")[4] if ":" in one else one for one in named}
    return statement["Effect"] == "Allow" and caller in accounts and wanted in {None, external_id}
