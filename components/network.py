"""The network that all clusters share: a VPC over named zones, or one that exists already.

Owns the cutting of the range and the tags by which EKS and the load balancer controller find subnets. Refuses to own
security groups and anything that knows a cluster.
"""

from __future__ import annotations

from typing import cast

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from settings.network import ExistingNetwork, NewNetwork
from settings.subnets import plan_subnets

EVERYWHERE = "0.0.0.0/0"


class Network(pulumi.ComponentResource):
    """A VPC with public and private subnets; for an existing VPC it only hands on the ids.

    ``private_subnets`` has ids by zone, or for an existing VPC by themselves.
    """

    vpc_id: pulumi.Output[str]
    public_subnet_ids: list[pulumi.Output[str]]
    private_subnets: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, network: NewNetwork | ExistingNetwork, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:network:Network", name, None, opts)
        if isinstance(network, ExistingNetwork):
            self.vpc_id = pulumi.Output.from_input(network.vpc_id)
            self.public_subnet_ids = [pulumi.Output.from_input(i) for i in network.public_subnet_ids]
            self.private_subnets = {i: pulumi.Output.from_input(i) for i in network.private_subnet_ids}
        else:
            self._make(name, network)
        self.register_outputs({"vpcId": self.vpc_id})

    @property
    def private_subnet_ids(self) -> list[pulumi.Output[str]]:
        """The ids of all private subnets."""
        return list(self.private_subnets.values())

    def _make(self, name: str, network: NewNetwork) -> None:
        child = ResourceOptions(parent=self)
        vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=network.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": f"{pulumi.get_stack()}-{name}"},
            opts=child,
        )
        self.vpc_id, self.public_subnet_ids, self.private_subnets = vpc.id, [], {}
        gateway = aws.ec2.InternetGateway(f"{name}-internet", vpc_id=vpc.id, opts=child)
        public_routes = aws.ec2.RouteTable(f"{name}-public", vpc_id=vpc.id, opts=child)
        public_way_out = aws.ec2.Route(
            f"{name}-public-out",
            route_table_id=public_routes.id,
            destination_cidr_block=EVERYWHERE,
            gateway_id=gateway.id,
            opts=child,
        )
        nat: aws.ec2.NatGateway | None = None
        for zone in plan_subnets(network.cidr, network.zones):
            public_id = self._subnet(f"{name}-{zone.zone}-public", vpc.id, zone.zone, zone.public, public_way_out)
            self.public_subnet_ids.append(public_id)
            if nat is None or network.nat_gateways == "perZone":
                address = aws.ec2.Eip(f"{name}-{zone.zone}-nat", domain="vpc", opts=child)
                nat = aws.ec2.NatGateway(
                    f"{name}-{zone.zone}-nat",
                    subnet_id=public_id,
                    allocation_id=address.allocation_id,
                    opts=child,
                )
            # A route table per zone even with a single gateway: going to one per zone then changes routes in place.
            private_routes = aws.ec2.RouteTable(f"{name}-{zone.zone}-private", vpc_id=vpc.id, opts=child)
            private_way_out = aws.ec2.Route(
                f"{name}-{zone.zone}-private-out",
                route_table_id=private_routes.id,
                destination_cidr_block=EVERYWHERE,
                nat_gateway_id=nat.id,
                opts=child,
            )
            private_id = self._subnet(f"{name}-{zone.zone}-private", vpc.id, zone.zone, zone.private, private_way_out)
            self.private_subnets[zone.zone] = private_id

    def _subnet(
        self, name: str, vpc_id: pulumi.Input[str], zone: str, cidr: str, way_out: aws.ec2.Route
    ) -> pulumi.Output[str]:
        role = "kubernetes.io/role/elb" if name.endswith("public") else "kubernetes.io/role/internal-elb"
        subnet = aws.ec2.Subnet(
            name,
            vpc_id=vpc_id,
            availability_zone=zone,
            cidr_block=cidr,
            tags={"Name": f"{pulumi.get_stack()}-{name}", role: "1"},
            # One that stands keeps its range: in stacks that are older than the cut by letters another may be its own.
            opts=ResourceOptions(parent=self, ignore_changes=["cidrBlock"]),
        )
        association = aws.ec2.RouteTableAssociation(
            name,
            subnet_id=subnet.id,
            route_table_id=way_out.route_table_id,
            opts=ResourceOptions(parent=self),
        )
        # Not the subnet's own id: AWS refuses NAT gateways and public load balancers before the internet gateway is
        # attached, and nodes without a way out never join. So whatever stands in a subnet waits for its way out.
        return cast("pulumi.Output[str]", association.subnet_id)
