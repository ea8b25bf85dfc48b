"""The emulated rule of what a security group lets in.

Refuses to own what is alike for both directions (security_group_rules.py).
"""

from __future__ import annotations

from rehearsal.plugins.aws.ec2.security_group_rules import (
    RULE,
    one_peer,
    read_rule,
    rule_creator,
    rule_deleter,
    update_rule,
)
from rehearsal.plugins.aws.table import Type

TYPE = Type(
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "VPC Security Group Rule",
    RULE,
    create=rule_creator("ingress"),
    read=read_rule,
    update=update_rule,
    delete=rule_deleter("ingress"),
    rule=one_peer,
)
