"""The emulated association of a web ACL with a load balancer: one for each, and the last one counts.

From WAF's API: associating another takes the place of the one that was, and disassociating asks for the load balancer
alone. Refuses to own web ACLs, and what their rules do with a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.table import REQUIRED_REPLACES, Type

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

_GONE = ("WAFNonexistentItemException",)


def _create(aws: Aws, inputs: Props) -> str:
    acl, balancer = inputs["webAclArn"], inputs["resourceArn"]
    aws.ask("wafv2", "disassociate_web_acl", ResourceArn=balancer)
    aws.ask("wafv2", "associate_web_acl", WebACLArn=acl, ResourceArn=balancer)
    return f"{acl},{balancer}"


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    acl, balancer = made.split(",", 1)
    answer = aws.found(_GONE, "wafv2", "get_web_acl_for_resource", ResourceArn=balancer)
    return known if answer and answer.get("WebACL", {}).get("ARN") == acl else None


def _delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    aws.found(_GONE, "wafv2", "disassociate_web_acl", ResourceArn=made.split(",", 1)[1])


TYPE = Type(
    "aws:wafv2/webAclAssociation:WebAclAssociation",
    "WAFv2 Web ACL Association",
    {"resourceArn": REQUIRED_REPLACES, "webAclArn": REQUIRED_REPLACES},
    create=_create,
    read=_read,
    delete=_delete,
)
