"""A listener that somebody else made, looked up and never changed, in the place of a load balancer of the stack's own.

Owns what the stack needs to know of it. Refuses to declare anything in AWS: its maker goes on owning all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
from pulumi import InvokeOptions, ResourceOptions

from settings.listeners import ArnOfListener

if TYPE_CHECKING:
    from settings.listeners import ExistingLoadBalancer


@dataclass(frozen=True, kw_only=True)
class ExistingListenerArgs:
    """Which listener; ``cloud`` is the provider by which it is looked up."""

    load_balancer: ExistingLoadBalancer
    cloud: aws.Provider


class ExistingListener(pulumi.ComponentResource):
    """A listener of an ALB, with what `SharedLoadBalancer` tells of its own.

    ``security_group_id`` is the first of its load balancer's: what may come from one of them may come from it.
    """

    security_group_id: pulumi.Output[str]
    vpc_id: pulumi.Output[str]
    dns_name: pulumi.Output[str]
    listener_arn: pulumi.Output[str]
    urls: list[pulumi.Output[str]]

    def __init__(self, name: str, args: ExistingListenerArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:existing_listener:ExistingListener", name, None, opts)
        wanted, ask = args.load_balancer.existing, InvokeOptions(provider=args.cloud)
        if isinstance(wanted, ArnOfListener):
            listener = aws.lb.get_listener_output(arn=wanted.listener_arn, opts=ask)
            balancer = aws.lb.get_load_balancer_output(arn=listener.load_balancer_arn, opts=ask)
        else:
            balancer = aws.lb.get_load_balancer_output(name=wanted.name, opts=ask)
            listener = aws.lb.get_listener_output(load_balancer_arn=balancer.arn, port=wanted.port, opts=ask)
        self.security_group_id = balancer.security_groups.apply(min)
        self.vpc_id, self.dns_name, self.listener_arn = balancer.vpc_id, balancer.dns_name, listener.arn
        scheme = listener.protocol.apply(str.lower)
        self.urls = [pulumi.Output.concat(scheme, "://", balancer.dns_name, ":", listener.port.apply(str))]
        self.register_outputs({"dnsName": self.dns_name, "listenerArn": self.listener_arn})
