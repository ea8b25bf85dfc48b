"""A stack file with every key of a real account: it comes up, stays as it is, and an edit does what its table says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cutover.engine.run import watch
from cutover.rules.judgement import Kind, kind, touched, violations
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.engine.sandbox import Sandbox
from rehearsal.play import stackfile
from tests.engine.policies import denied
from tests.engine.standing import Standing
from tests.every_key import BATCH, LOGS, ROLES, SECRET, every_key

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rehearsal.engine import executable
    from rehearsal.play.stackfile import Config

_OLD, _NEW = "v1-35", "v1-36"
_SECRET_KEY = "eks-cutover:routes.beta.authenticate.oidc.clientSecret"
_RULES_OF_BETA = ("beta-weighted", "beta-v1-35-preview", "beta-v1-36-preview")


def _made_beforehand(sandbox: Sandbox) -> str:
    """Make the bucket of the logs, the roles that others make, and a web ACL, and return the ARN of that."""
    s3, waf, iam = sandbox.aws("s3"), sandbox.aws("wafv2"), sandbox.aws("iam")
    trusted = {"Service": [f"{one}.amazonaws.com" for one in ("eks", "ec2", "pods.eks")]}
    trust = {"Effect": "Allow", "Principal": trusted, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    for name in ROLES.values():
        document = json.dumps({"Version": "2012-10-17", "Statement": trust})
        iam.create_role(RoleName=name, Path="/org/", AssumeRolePolicyDocument=document)
    s3.create_bucket(Bucket=LOGS, CreateBucketConfiguration={"LocationConstraint": sandbox.region})
    delivery = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    write = {"Effect": "Allow", "Principal": delivery, "Action": "s3:PutObject", "Resource": "*"}
    s3.put_bucket_policy(Bucket=LOGS, Policy=json.dumps({"Version": "2012-10-17", "Statement": [write]}))
    seen = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "shop"}
    acl = waf.create_web_acl(Name="shop", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=seen)
    return acl["Summary"]["ARN"]


def _seal(sandbox: Sandbox, secret: str) -> None:
    sealed = sandbox.pulumi("config", "set", "--secret", "--path", _SECRET_KEY, secret, "-s", "prod")
    assert sealed.returncode == 0, sealed.stdout


def _balancer(**changes: Any) -> Callable[[Config], None]:
    return lambda config: config["eks-cutover:loadBalancers"]["public"].update(changes)


@pytest.fixture(scope="module")
def every(pulumi_engine: executable.Engine) -> Generator[Standing]:
    """Return the stack, as it stands."""
    with Sandbox(pulumi_engine, PROGRAM, zones=[*ZONES, "example.org"]) as sandbox:
        config = every_key()
        config["eks-cutover:loadBalancers"]["public"]["webAclArn"] = _made_beforehand(sandbox)
        del config["eks-cutover:routes"]["beta"]["authenticate"]["oidc"]["clientSecret"]
        stackfile.edit(sandbox.project, "prod", lambda there: there.update(config))
        standing = Standing(sandbox, "prod", sandbox.stack("prod"))
        _seal(sandbox, SECRET)
        run = watch(standing.stack.up)
        assert not run.failure
        standing.heal(4)
        yield standing


def _nodes(cluster: str = _NEW, **changes: Any) -> Callable[[Config], None]:
    return lambda config: config["eks-cutover:clusters"][cluster]["nodes"].update(changes)


def _route(name: str, **changes: Any) -> Callable[[Config], None]:
    return lambda config: config["eks-cutover:routes"][name].update(changes)


def _login(**changes: Any) -> Callable[[Config], None]:
    return lambda config: config["eks-cutover:routes"]["beta"]["authenticate"]["oidc"].update(changes)


def _addon(**changes: Any) -> Callable[[Config], None]:
    return lambda config: config["eks-cutover:clusters"][_NEW]["addons"]["aws-ebs-csi-driver"].update(changes)


def test_nothing_changes_by_itself_and_a_shift_beside_all_of_it_is_one_update_a_route(every: Standing) -> None:
    def shift(config: Config) -> None:
        config["eks-cutover:weights"] = {"v1-35": 90, "v1-36": 10}

    assert not touched(every.preview())
    assert "web: v1-36 has no share yet, and nobody has asked its probes" in every.preview(shift).failure
    every.answered(_NEW)
    run = every.preview(shift)
    assert (run.failure, {step.name for step in touched(run)}) == (
        "",
        {"web-weighted", "orders-weighted", "beta-weighted"},
    )


@pytest.mark.parametrize(
    ("edit", "does"),
    [
        (_nodes(batch={**BATCH, "labels": {"pool": "other"}, "taints": []}), {("update", "v1-36-nodes-batch")}),
        (_nodes(extra=BATCH), {("create", "v1-36-nodes-extra"), ("create", "v1-36-nodes-extra-launchTemplate")}),
        (
            _nodes(batch={**BATCH, "releaseVersion": "1.36.1-20260901", "updatePolicy": {"maxUnavailable": 1}}),
            {("update", "v1-36-nodes-batch")},
        ),
        (_nodes(batch={key: value for key, value in BATCH.items() if key != "updatePolicy"}), set()),
        (_route("page", fixedResponse={"code": "404", "body": "Gone"}), {("update", "page-answer")}),
        (_route("old", redirect={"host": "new.example.com"}, priority=5), {("update", "old-answer")}),
        (
            _route("orders", query=[{"value": "beta"}]),
            {("update", f"orders-{rule}") for rule in ("weighted", "v1-35-preview", "v1-36-preview")},
        ),
        (_login(sessionTimeout=60, scope="openid"), {("update", rule) for rule in _RULES_OF_BETA}),
        (_route("beta", authenticate=None), {("update", rule) for rule in _RULES_OF_BETA}),
        (_balancer(idleTimeout=90, forwardedFor="append", accessLogs={"bucket": LOGS}), {("update", "public")}),
        (_balancer(connectionLogs=None, clientKeepAlive=None, preserveHostHeader=None), {("update", "public")}),
        (_balancer(tlsPolicy="ELBSecurityPolicy-TLS13-1-3-2021-06"), {("update", "public-443")}),
        (_balancer(webAclArn=None), {("delete", "public")}),
        (_addon(version="v1.55.0-eksbuild.1"), {("update", "v1-36-aws-ebs-csi-driver")}),
        (_addon(configuration={"controller": {"replicaCount": 3}}), {("update", "v1-36-aws-ebs-csi-driver")}),
    ],
)
def test_an_edit_does_what_its_table_says(
    every: Standing, edit: Callable[[Config], None], does: set[tuple[str, str]]
) -> None:
    run = every.preview(edit)
    assert not run.failure
    assert {(step.op, step.name) for step in touched(run)} == does


def test_a_group_of_a_cluster_that_serves_leaves_once_it_is_empty(every: Standing) -> None:
    def gone(config: Config) -> None:
        del config["eks-cutover:clusters"][_OLD]["nodes"]["batch"]

    assert "protected" in every.preview(gone).failure
    emptied = every.up(_nodes(_OLD, batch={**BATCH, "desiredSize": 0}))
    assert (emptied.failure, [step.name for step in touched(emptied)]) == ("", ["v1-35-nodes-batch"])
    assert violations(emptied, {_OLD}) == []
    leaves = every.preview(gone)
    assert not leaves.failure
    assert {(step.op, step.name) for step in touched(leaves)} == {
        ("delete", "v1-35-nodes-batch"),
        ("delete", "v1-35-nodes-batch-launchTemplate"),
    }
    assert violations(leaves, {_OLD}) == []
    assert not every.up().failure


def test_an_answer_of_the_load_balancer_goes_and_comes_and_is_no_clusters(every: Standing) -> None:
    def without(config: Config) -> None:
        del config["eks-cutover:routes"]["old"]

    gone = every.up(without)
    assert (gone.failure, [(step.op, step.name) for step in touched(gone)]) == ("", [("delete", "old-answer")])
    assert violations(gone, {_OLD}) == []
    assert kind(gone) is Kind.RETIRE
    back = every.up()
    assert (back.failure, [(step.op, step.name) for step in touched(back)]) == ("", [("create", "old-answer")])


def test_a_group_is_refused_another_zone_while_its_cluster_serves_and_gets_another_beside_it(every: Standing) -> None:
    zone = {**BATCH, "zones": ["ap-northeast-1a"]}
    assert "unable to replace resource" in every.preview(_nodes(_OLD, batch=zone)).failure
    beside = every.preview(_nodes(_OLD, other=zone))
    assert (beside.failure, {step.op for step in touched(beside)}) == ("", {"create"})


def test_how_targets_are_spoken_to_is_refused_to_change_while_they_serve(every: Standing) -> None:
    assert "unable to replace resource" in every.preview(_route("web", protocol="HTTP")).failure


def test_roles_that_others_made_stay_theirs_and_no_other_takes_their_place_while_their_cluster_serves(
    every: Standing,
) -> None:
    def others(**keys: str) -> Callable[[Config], None]:
        return lambda config: config["eks-cutover:clusters"][_OLD].update(keys)

    iam, role = every.sandbox.aws("iam"), "arn:aws:iam::123456789012:role/org"
    made = [one["RoleName"] for one in iam.list_roles(PathPrefix="/eks/")["Roles"]]
    assert not [name for name in made if name.startswith((f"{_NEW}-nodes", f"{_NEW}-eksRole", f"{_NEW}-aws-load"))]
    for name in ROLES.values():
        assert not iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        assert not iam.list_role_policies(RoleName=name)["PolicyNames"]
    assert "unable to replace resource" in every.preview(others(clusterRoleArn=f"{role}/eks")).failure
    assert "unable to replace resource" in every.preview(others(nodeRoleArn=f"{role}/nodes")).failure


def test_a_database_lets_every_cluster_in_and_no_more_once_it_is_left_out(every: Standing) -> None:
    ec2, elb = every.sandbox.aws("ec2"), every.sandbox.aws("elbv2")
    vpc = elb.describe_load_balancers()["LoadBalancers"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="orders", Description="database", VpcId=vpc)["GroupId"]

    def reaching(config: Config) -> None:
        config["eks-cutover:allowEgressTo"] = [{"securityGroupId": group, "ports": [5432]}]

    names = {f"{key}-to-{group}-5432" for key in (_OLD, _NEW)}
    made = every.up(reaching)
    assert (made.failure, {(step.op, step.name) for step in touched(made)}) == ("", {("create", one) for one in names})
    (told,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    (permission,) = told["IpPermissions"]
    assert (permission["FromPort"], len(permission["UserIdGroupPairs"])) == (5432, 2)
    gone = every.up()
    assert (gone.failure, {(step.op, step.name) for step in touched(gone)}) == ("", {("delete", one) for one in names})
    assert violations(gone, {_OLD}) == []


def _logins(standing: Standing) -> dict[str, dict[str, Any]]:
    """Return the first action of every rule of the route whose users log in, by its priority."""
    elb = standing.sandbox.aws("elbv2")
    listeners = [
        listener["ListenerArn"]
        for balancer in elb.describe_load_balancers()["LoadBalancers"]
        for listener in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    ]
    rules = [rule for arn in listeners for rule in elb.describe_rules(ListenerArn=arn)["Rules"]]
    first = {rule["Priority"]: rule["Actions"][0] for rule in rules if len(rule["Actions"]) > 1}
    return {place: action for place, action in first.items() if action["Type"] == "authenticate-oidc"}


def test_no_way_of_moving_traffic_loses_a_login_or_shows_its_secret(every: Standing) -> None:
    sandbox, shown = every.sandbox, list[str]()
    path = sandbox.project / "Pulumi.prod.yaml"
    before, written = _logins(every), path.read_text()
    assert len(before) == len(_RULES_OF_BETA)
    assert {action["AuthenticateOidcConfig"]["ClientId"] for action in before.values()} == {"shop"}

    def ran(command: Callable[..., Any], *arguments: str) -> str:
        done = command(*arguments, "-s", "prod")
        said = f"{done.stdout}{done.stderr}"
        assert done.returncode == 0, said
        shown.append(said)
        assert _logins(every) == before
        return said

    every.answered(_NEW)
    assert "update beta-weighted" not in ran(sandbox.cutover, "guard")
    ran(sandbox.cutover, "shift", f"{_NEW}=10", "--yes")
    assert every.live()["beta"] == {_OLD: 90, _NEW: 10}
    ran(sandbox.cutover, "rollback", "--yes", "--json")
    assert every.live()["beta"][_NEW] == 0
    ran(sandbox.cutover, "release", "--yes")
    ran(sandbox.pulumi, "refresh", "--yes", "--diff")
    ran(sandbox.pulumi, "preview", "--diff")
    # The engine takes all actions for a secret after a refresh: a move of weights is told all the same.
    ran(sandbox.cutover, "shift", f"{_NEW}=1", "--write-only", "--yes")
    assert '"change": "shift"' in ran(sandbox.cutover, "guard", "--json")
    ran(sandbox.pulumi, "up", "--yes", "--diff")
    path.write_text(written)
    ran(sandbox.pulumi, "up", "--yes", "--diff")
    states = [path.read_text() for path in (sandbox.folder / "state").rglob("*.json")]
    assert states
    for text in (*shown, *states, written):
        assert SECRET not in text


def test_another_secret_is_an_update_of_rules_that_a_plan_beside_a_move_may_not_hold(every: Standing) -> None:
    path = every.sandbox.project / "Pulumi.prod.yaml"
    before = path.read_text()
    try:
        _seal(every.sandbox, "another-client-secret")
        run = watch(every.stack.preview)
    finally:
        path.write_text(before)
    assert not run.failure
    assert {(step.name, step.paths) for step in touched(run)} == {
        (rule, ("actions[0].authenticateOidc.clientSecret",)) for rule in _RULES_OF_BETA
    }
    assert [violation.step.name for violation in violations(run, {_OLD})] == ["beta-weighted"]


def test_the_policies_allow_all_that_was_asked_for(every: Standing) -> None:
    assert denied(every.sandbox) == []
