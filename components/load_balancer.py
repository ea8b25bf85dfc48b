"""A load balancer that belongs to the stack, with its certificate and the DNS records that never move.

Owns listeners and their default answer, 404. Refuses to own rules (route.py) and anything that knows a cluster: that is
why clusters can come and go behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

# Its package would load the shapes of all rules of WAF, which takes longer than the rest of the SDK.
from pulumi_aws.wafv2.web_acl_association import WebAclAssociation

from components.tags import own_tags
from settings.load_balancers import TLS_POLICY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from settings.load_balancers import LoadBalancer, Logs


_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class SharedLoadBalancerArgs:
    """What a load balancer stands on.

    ``zone_ids`` are the hosted zones of its names, by name, and ``zones`` is the provider that writes there.
    """

    load_balancer: LoadBalancer
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    ingress_cidrs: Sequence[str]
    zone_ids: Mapping[str, pulumi.Input[str]]
    zones: aws.Provider


class SharedLoadBalancer(pulumi.ComponentResource):
    """An ALB. ``listener_arn`` is the listener on which routes put their rules."""

    security_group_id: pulumi.Output[str]
    vpc_id: pulumi.Output[str]
    dns_name: pulumi.Output[str]
    listener_arn: pulumi.Output[str]
    urls: list[pulumi.Output[str]]

    def __init__(self, name: str, args: SharedLoadBalancerArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:load_balancer:SharedLoadBalancer", name, None, opts)
        self._name, self._child = name, ResourceOptions(parent=self)
        # An edit of names or ranges replaces these, and AWS deletes no certificate that is in use: protected, they
        # would stop the edit and save nothing.
        self._replaceable = ResourceOptions(parent=self, protect=False)
        wanted = args.load_balancer
        self.security_group_id = self._security_group(args)
        self.vpc_id = pulumi.Output.from_input(args.vpc_id)
        balancer = aws.lb.LoadBalancer(
            name,
            load_balancer_type="application",
            internal=wanted.scheme == "internal",
            security_groups=[self.security_group_id],
            subnets=args.subnet_ids,
            ip_address_type=wanted.ip_address_type if wanted.dualstack else None,
            drop_invalid_header_fields=True,
            enable_deletion_protection=wanted.deletion_protection,
            idle_timeout=wanted.idle_timeout,
            client_keep_alive=wanted.client_keep_alive,
            xff_header_processing_mode=wanted.forwarded_for,
            preserve_host_header=wanted.preserve_host_header,
            access_logs=_logs(aws.lb.LoadBalancerAccessLogsArgs, wanted.access_logs),
            connection_logs=_logs(aws.lb.LoadBalancerConnectionLogsArgs, wanted.connection_logs),
            tags=own_tags(),
            opts=ResourceOptions.merge(self._child, _as_imported("name")),
        )
        self.dns_name = balancer.dns_name
        if wanted.https:
            self._listener(balancer, 80, _TO_HTTPS)
            certificate = wanted.certificate_arn or self._certificate(args)
            self.listener_arn = self._listener(balancer, 443, _NOT_FOUND, certificate, wanted.tls_policy).arn
            for arn in wanted.certificate_arns:
                aws.lb.ListenerCertificate(
                    f"{name}-{arn.rsplit('/', 1)[-1]}",
                    listener_arn=self.listener_arn,
                    certificate_arn=arn,
                    opts=self._replaceable,
                )
        else:
            self.listener_arn = self._listener(balancer, 80, _NOT_FOUND).arn
        if wanted.web_acl_arn:
            WebAclAssociation(
                name,
                resource_arn=balancer.arn,
                web_acl_arn=wanted.web_acl_arn,
                # The end of the old association would be that of the new one: both are of one load balancer.
                opts=ResourceOptions.merge(self._replaceable, ResourceOptions(delete_before_replace=True)),
            )
        for record in wanted.records:
            self._record(args, balancer, f"{name}-{record}", record, "A")
            if wanted.dualstack:
                self._record(args, balancer, f"{name}-{record}-aaaa", record, "AAAA")
        scheme = "https" if wanted.https else "http"
        self.urls = [pulumi.Output.concat(scheme, "://", host) for host in wanted.names or [balancer.dns_name]]
        self.register_outputs({"dnsName": self.dns_name, "listenerArn": self.listener_arn})

    def _record(
        self, args: SharedLoadBalancerArgs, balancer: aws.lb.LoadBalancer, name: str, record: str, kind: str
    ) -> None:
        # The second address of a name may go while it serves: the first one stays.
        opts = self._child if kind == "A" else self._replaceable
        aws.route53.Record(
            name,
            zone_id=args.zone_ids[record],
            name=record,
            type=kind,
            aliases=[{"name": balancer.dns_name, "zone_id": balancer.zone_id, "evaluate_target_health": False}],
            opts=ResourceOptions.merge(opts, ResourceOptions(provider=args.zones)),
        )

    def _security_group(self, args: SharedLoadBalancerArgs) -> pulumi.Output[str]:
        group = aws.ec2.SecurityGroup(
            f"{self._name}-alb",
            vpc_id=args.vpc_id,
            description=f"Load balancer {self._name} of the stack",
            opts=ResourceOptions.merge(self._child, _as_imported("name", "description")),
        )
        for port in (80, 443) if args.load_balancer.https else (80,):
            for cidr in args.ingress_cidrs:
                aws.vpc.SecurityGroupIngressRule(
                    f"{self._name}-{port}-{cidr}",
                    security_group_id=group.id,
                    cidr_ipv4=None if ":" in cidr else cidr,
                    cidr_ipv6=cidr if ":" in cidr else None,
                    ip_protocol="tcp",
                    from_port=port,
                    to_port=port,
                    opts=self._replaceable,
                )
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-out",
            security_group_id=group.id,
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="-1",
            opts=self._child,
        )
        return group.id

    def _certificate(self, args: SharedLoadBalancerArgs) -> pulumi.Output[str]:
        first, *others = args.load_balancer.names
        certificate = aws.acm.Certificate(
            f"{self._name}-certificate",
            domain_name=first,
            subject_alternative_names=others,
            validation_method="DNS",
            opts=self._replaceable,
        )
        # A name and its wildcard are validated by one and the same record, which the last to leave takes along.
        domains = {name.removeprefix("*."): name for name in args.load_balancer.names}
        records = [self._validation_record(certificate, name, domain, args) for domain, name in domains.items()]
        validation = aws.acm.CertificateValidation(
            f"{self._name}-certificate",
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn for record in records],
            opts=self._replaceable,
        )
        return validation.certificate_arn

    def _validation_record(
        self, certificate: aws.acm.Certificate, name: str, domain: str, args: SharedLoadBalancerArgs
    ) -> aws.route53.Record:
        option = certificate.domain_validation_options.apply(
            lambda options: next(option for option in options if option.domain_name == name)
        )
        return aws.route53.Record(
            f"{self._name}-validation-{domain}",
            zone_id=args.zone_ids[name],
            name=option.resource_record_name,
            type=option.resource_record_type,
            records=[option.resource_record_value],
            ttl=300,
            allow_overwrite=True,  # a certificate that another stack has for the name left the same record
            opts=ResourceOptions.merge(self._replaceable, ResourceOptions(provider=args.zones)),
        )

    def _listener(
        self,
        balancer: aws.lb.LoadBalancer,
        port: int,
        default: aws.lb.ListenerDefaultActionArgs,
        certificate_arn: pulumi.Input[str] | None = None,
        tls_policy: str | None = None,
    ) -> aws.lb.Listener:
        return aws.lb.Listener(
            f"{self._name}-{port}",
            load_balancer_arn=balancer.arn,
            port=port,
            protocol="HTTPS" if certificate_arn else "HTTP",
            certificate_arn=certificate_arn,
            ssl_policy=(tls_policy or TLS_POLICY) if certificate_arn else None,
            routing_http_response_server_enabled=False,
            default_actions=[default],
            opts=self._child,
        )


def _logs(kind: Callable[..., _T], wanted: Logs | None) -> _T | None:
    return kind(bucket=wanted.bucket, prefix=wanted.prefix, enabled=True) if wanted else None


def _as_imported(*properties: str) -> ResourceOptions:
    """Keep what AWS never changes of a thing that was imported. What replaces one gets a name of its own, beside it."""
    return ResourceOptions(ignore_changes=[*properties], delete_before_replace=False)


_NOT_FOUND = aws.lb.ListenerDefaultActionArgs(
    type="fixed-response",
    fixed_response=aws.lb.ListenerDefaultActionFixedResponseArgs(
        content_type="text/plain", message_body="No route", status_code="404"
    ),
)
_TO_HTTPS = aws.lb.ListenerDefaultActionArgs(
    type="redirect",
    redirect=aws.lb.ListenerDefaultActionRedirectArgs(protocol="HTTPS", port="443", status_code="HTTP_301"),
)
