"""A queue that a rule of EventBridge sends to, and the profile that hands a role to instances: their lives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rehearsal.plugins.plugin import Diff

if TYPE_CHECKING:
    from tests.rehearsal.conftest import Account

QUEUE, POLICY = "aws:sqs/queue:Queue", "aws:sqs/queuePolicy:QueuePolicy"
RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
ROLE, PROFILE = "aws:iam/role:Role", "aws:iam/instanceProfile:InstanceProfile"
_TRUST = {"Version": "2012-10-17", "Statement": []}


def test_a_queue_has_its_policy_for_as_long_as_that_is_there(account: Account) -> None:
    queue = account.create(QUEUE, "interruptions", messageRetentionSeconds=300, sqsManagedSseEnabled=True)
    url, sqs = queue.state["url"], account.client("sqs")
    assert (queue.id, url.rsplit("/", 1)[-1]) == (url, queue.state["name"])
    assert queue.state["arn"].endswith(f":{queue.state['name']}")
    assert account.diff(queue, messageRetentionSeconds=300, sqsManagedSseEnabled=True) == Diff()
    sending = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue.state["arn"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [sending]})
    policy = account.create(POLICY, "interruptions", queueUrl=url, policy=document)
    assert "Policy" in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert account.diff(policy, queueUrl=url, policy=json.loads(document)) == Diff(), "two texts of one document"
    queue = account.update(queue, messageRetentionSeconds=600, sqsManagedSseEnabled=True)
    assert queue.state["messageRetentionSeconds"] == 600
    account.delete(policy)
    assert account.refresh(policy) is None
    account.delete(queue)
    assert account.refresh(queue) is None


def test_a_rule_sends_to_its_target_until_that_goes(account: Account) -> None:
    queue = account.create(QUEUE, "interruptions")
    rule = account.create(RULE, "interruptions", eventPattern=json.dumps({"source": ["aws.ec2"]}))
    given = {"rule": rule.id, "targetId": "karpenter", "arn": queue.state["arn"]}
    target = account.create(TARGET, "interruptions", **given)
    events = account.client("events")
    assert [one["Arn"] for one in events.list_targets_by_rule(Rule=rule.id)["Targets"]] == [queue.state["arn"]]
    rule = account.update(rule, eventPattern=json.dumps({"source": ["aws.health"]}))
    assert json.loads(events.describe_rule(Name=rule.id)["EventPattern"]) == {"source": ["aws.health"]}
    account.delete(target)
    assert account.refresh(target) is None
    account.delete(rule)
    assert account.refresh(rule) is None


def test_an_instance_profile_takes_another_role_in_place_and_lets_go_of_it(account: Account) -> None:
    roles = [account.create(ROLE, name, assumeRolePolicy=json.dumps(_TRUST)) for name in ("one", "other")]
    profile = account.create(PROFILE, "nodes", role=roles[0].id, path="/eks/")
    assert ":instance-profile/eks/" in profile.state["arn"]
    profile = account.update(profile, role=roles[1].id, path="/eks/")
    found = account.client("iam").get_instance_profile(InstanceProfileName=profile.id)["InstanceProfile"]
    assert [one["RoleName"] for one in found["Roles"]] == [roles[1].id]
    assert all(change.replace for change in account.diff(profile, role=roles[1].id, path="/").changes)
    account.delete(profile)
    assert account.refresh(profile) is None
    for role in roles:
        account.delete(role)
