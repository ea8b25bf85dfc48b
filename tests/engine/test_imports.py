"""A load balancer with all that stands on it, made by somebody else, taken over as it is, and given away again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cutover.engine.run import watch
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.engine.sandbox import Sandbox
from rehearsal.play import foreign_cluster, stackfile
from rehearsal.play.brownfield import tags_of
from rehearsal.play.foreign_cluster import land

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cutover.engine.run import Run
    from rehearsal.engine.executable import Engine
    from rehearsal.play.foreign_cluster import Land
    from rehearsal.play.stackfile import Config

HOST = "app.example.com"
KEYS = ("blue", "green")
POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
OWN = {"eks-cutover:project": "eks-cutover", "eks-cutover:stack": "dev"}
ENGINE = {"pulumi:project": "eks-cutover", "pulumi:stack": "dev"}
OTHER = {"public-alb": "sg-0123456789abcdef0"}


class _Made:
    """What a foreign program made, by the names that the stack has for it."""

    def __init__(self, sandbox: Sandbox, there: Land) -> None:
        self._elb, self._ec2, self._route53 = (sandbox.aws(one) for one in ("elbv2", "ec2", "route53"))
        self.certificate = sandbox.aws("acm").request_certificate(DomainName="*.example.com")["CertificateArn"]
        self.ids: dict[str, str] = {}
        self._group(there)
        self._balancer(there)
        self._record()
        self._route(there)

    def _group(self, there: Land) -> None:
        group = self._ec2.create_security_group(GroupName="shop", Description="by Terraform", VpcId=there.vpc)
        self.ids["public-alb"] = group["GroupId"]
        for port in (80, 443):
            way = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
            self._ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=way)
        asked = [{"Name": "group-id", "Values": [group["GroupId"]]}]
        for one in self._ec2.describe_security_group_rules(Filters=asked)["SecurityGroupRules"]:
            name = "public-out" if one["IsEgress"] else f"public-{one['FromPort']}-0.0.0.0/0"
            self.ids[name] = one["SecurityGroupRuleId"]

    def _balancer(self, there: Land) -> None:
        balancer = self._elb.create_load_balancer(
            Name="shop", Scheme="internet-facing", Subnets=there.public, SecurityGroups=[self.ids["public-alb"]]
        )["LoadBalancers"][0]
        arn = self.ids["public"] = balancer["LoadBalancerArn"]
        self._elb.modify_load_balancer_attributes(
            LoadBalancerArn=arn,
            Attributes=[{"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"}],
        )
        to = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
        redirect = {
            "Type": "redirect",
            "RedirectConfig": {**to, "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"},
        }
        fixed = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "No route"}
        tls = {"Certificates": [{"CertificateArn": self.certificate}], "SslPolicy": POLICY}
        for port, protocol, action, more in (
            (80, "HTTP", redirect, {}),
            (443, "HTTPS", {"Type": "fixed-response", "FixedResponseConfig": fixed}, tls),
        ):
            listener = self._elb.create_listener(
                LoadBalancerArn=arn, Port=port, Protocol=protocol, DefaultActions=[action], **more
            )["Listeners"][0]["ListenerArn"]
            banner = [{"Key": "routing.http.response.server.enabled", "Value": "false"}]
            self._elb.modify_listener_attributes(ListenerArn=listener, Attributes=banner)
            self.ids[f"public-{port}"] = listener
        self._alias = {
            "HostedZoneId": balancer["CanonicalHostedZoneId"],
            "DNSName": balancer["DNSName"],
            "EvaluateTargetHealth": False,
        }

    def _record(self) -> None:
        zones = self._route53.list_hosted_zones()["HostedZones"]
        made = next(one["Id"] for one in zones if one["Name"] == "example.com.")
        record = {"Name": HOST, "Type": "A", "AliasTarget": self._alias}
        batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        self._route53.change_resource_record_sets(HostedZoneId=made, ChangeBatch=batch)
        self.ids[f"public-{HOST}"] = f"{made.rpartition('/')[2]}_{HOST}_A"

    def _route(self, there: Land) -> None:
        asks: list[dict[str, Any]] = [
            {"Field": "host-header", "HostHeaderConfig": {"Values": [HOST]}},
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}},
        ]
        for place, key in enumerate(KEYS):
            group = self.ids[f"web-{key}"] = self._elb.create_target_group(
                Name=f"dev-web-{key}",
                Protocol="HTTP",
                Port=8080,  # of all that AWS never changes of a group, what nothing depends on
                VpcId=there.vpc,
                TargetType="ip",
                HealthCheckPath="/healthz",
                HealthCheckIntervalSeconds=10,
            )["TargetGroups"][0]["TargetGroupArn"]
            header = {
                "Field": "http-header",
                "HttpHeaderConfig": {"HttpHeaderName": "X-Cutover-Cluster", "Values": [key]},
            }
            self._rule(f"web-{key}-preview", 100 + place, [*asks, header], {group: 1})
        shares = {self.ids["web-blue"]: 100, self.ids["web-green"]: 0}
        self._rule("web-weighted", 30000, asks, shares)

    def _rule(self, name: str, place: int, asks: list[dict[str, Any]], shares: Mapping[str, int]) -> None:
        groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in shares.items()]
        off = {"Enabled": False, "DurationSeconds": 1}
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": off}}
        listener = self.ids["public-443"]
        made = self._elb.create_rule(ListenerArn=listener, Priority=place, Conditions=asks, Actions=[action])
        self.ids[name] = made["Rules"][0]["RuleArn"]

    def standing(self) -> dict[str, Any]:
        """Return all of it as AWS describes it."""
        arns = [one for one in self.ids.values() if one.startswith("arn:")]
        zone = self.ids[f"public-{HOST}"].split("_")[0]
        groups = [self.ids[f"web-{key}"] for key in KEYS]
        return {
            "balancer": self._elb.describe_load_balancers()["LoadBalancers"],
            "listeners": self._elb.describe_listeners(LoadBalancerArn=self.ids["public"])["Listeners"],
            "rules": self._elb.describe_rules(ListenerArn=self.ids["public-443"])["Rules"],
            "groups": self._elb.describe_target_groups()["TargetGroups"],
            "attributes": [
                self._elb.describe_target_group_attributes(TargetGroupArn=one)["Attributes"] for one in groups
            ],
            "tags": tags_of(self._elb, arns),
            "security": self._ec2.describe_security_groups(GroupIds=[self.ids["public-alb"]])["SecurityGroups"],
            "records": self._route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"],
        }

    def hand_over(self) -> None:
        """Give everything the tags and the places that the stack gives it, as a refusal says."""
        for name, identity in self.ids.items():
            tags = dict(ENGINE)
            route, _, rest = name.partition("-")
            if name == "public" or route == "web":
                tags |= OWN
            if route == "web":
                tags["eks-cutover:route"] = route
            if (key := rest.removesuffix("-preview")) in KEYS:
                tags["eks-cutover:cluster"] = key
            told = [{"Key": key, "Value": value} for key, value in tags.items()]
            if identity.startswith("arn:"):
                self._elb.add_tags(ResourceArns=[identity], Tags=told)
            elif identity.startswith("sg"):
                self._ec2.create_tags(Resources=[identity], Tags=told)
        places = {"web-blue-preview": 5, "web-green-preview": 34, "web-weighted": 40001}
        moved = [{"RuleArn": self.ids[name], "Priority": place} for name, place in places.items()]
        self._elb.set_rule_priorities(RulePriorities=moved)

    def change(self, path: str) -> None:
        """Let a health check ask for another path."""
        self._elb.modify_target_group(TargetGroupArn=self.ids["web-blue"], HealthCheckPath=path)


def _file(made: _Made, there: Land) -> Callable[[Config], None]:
    def write(config: Config) -> None:
        balancer = {"scheme": "internet-facing", "zone": "example.com", "names": [HOST]}
        check = {"path": "/healthz", "interval": 10, "healthyThreshold": 5}
        web = config["eks-cutover:routes"]["web"]
        config["eks-cutover:network"] = there.network
        config["eks-cutover:loadBalancers"] = {"public": {**balancer, "certificateArn": made.certificate}}
        config["eks-cutover:routes"] = {"web": {**web, "targetType": "ip", "healthCheck": check}}
        config["eks-cutover:clusters"] = {
            key: {
                "existing": {"name": f"prod-{key}"},
                "bindings": {"applyBy": "gitops"},
                "securityGroupRules": "none",
            }
            for key in KEYS
        }
        config["eks-cutover:weights"] = {"blue": 100, "green": 0}
        config["eks-cutover:mesh"] = {"kind": "none"}
        config["eks-cutover:import"] = {"formerOwner": "terraform", "ids": made.ids}
        del config["eks-cutover:serviceDiscovery"]

    return write


def _touched(run: Run) -> set[tuple[str, str]]:
    """Return what a run does, to what; components, the stack and providers left out."""
    quiet = ("eks-cutover:", "pulumi:")
    return {(step.op, step.name) for step in run.steps if not step.type.startswith(quiet)}


def test_what_a_foreign_program_made_is_taken_over_as_it_is_and_given_away_again(pulumi_engine: Engine) -> None:
    with Sandbox(pulumi_engine, PROGRAM, zones=ZONES) as sandbox:
        there = land(sandbox)
        for key in KEYS:
            foreign_cluster.cluster(sandbox, there, f"prod-{key}", ["web"])
        made = _Made(sandbox, there)
        stackfile.edit(sandbox.project, "dev", _file(made, there))
        stack = sandbox.stack("dev")

        before = made.standing()
        refused = sandbox.pulumi("up", "--yes", "-s", "dev")
        assert refused.returncode != 0
        for name, identity in made.ids.items():
            assert f"{name} ({identity}) is not as the stack would make it" in refused.stdout or identity.endswith("_A")
        assert made.standing() == before
        assert not json.loads(sandbox.pulumi("stack", "export", "-s", "dev").stdout)["deployment"].get("resources")

        made.hand_over()
        made.change("/other")
        before = made.standing()
        refused = sandbox.pulumi("up", "--yes", "-s", "dev")
        assert 'healthCheck.path: "/other" there, "/healthz" here' in refused.stdout
        assert refused.stdout.count("is not as the stack would make it") == 2  # as it comes, and at the end
        assert refused.returncode != 0
        assert made.standing() == before

        made.change("/healthz")
        before = made.standing()
        previewed = watch(stack.preview)
        assert not previewed.failure
        same_again = {("update", f"web-{key}-preview") for key in KEYS}
        assert _touched(previewed) == {("import", name) for name in made.ids} | same_again
        taken = watch(stack.up)
        assert not taken.failure
        assert _touched(taken) == _touched(previewed)
        assert made.standing() == before
        assert not _touched(watch(stack.preview))

        stackfile.edit(sandbox.project, "dev", lambda config: config["eks-cutover:import"]["ids"].update(OTHER))
        other = sandbox.pulumi("preview", "-s", "dev")
        assert "The engine would delete that one" in other.stdout

        stackfile.edit(sandbox.project, "dev", lambda config: config.pop("eks-cutover:import"))
        out = watch(stack.preview)
        assert not out.failure
        assert not _touched(out)
        assert not _touched(watch(stack.up))

        given = sandbox.cutover("disown", "-s", "dev", "--yes")
        assert given.returncode == 0, given.stderr
        assert made.standing() == before
        assert not json.loads(sandbox.pulumi("stack", "export", "-s", "dev").stdout)["deployment"].get("resources")
