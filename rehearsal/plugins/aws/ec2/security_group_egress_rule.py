"""The emulated rule of what a security group lets out.

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
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    "VPC Security Group Rule",
    RULE,
    create=rule_creator("egress"),
    read=read_rule,
    update=update_rule,
    delete=rule_deleter("egress"),
    rule=one_peer,
)
