"""The controllers that work for the stack inside a cluster, each with a role that can do that work and no other.

Owns charts, values and IAM. Refuses to own the cluster and what the controllers are asked to do (binding.py, mesh.py):
they take plain names, so a cluster that was made elsewhere can have them too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pulumi import ResourceOptions

from components import roles
from components.tags import own_tags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from settings.iam import Iam
    from settings.mirrors import Mirrors

_CHARTS = "https://aws.github.io/eks-charts"
_OCI = "oci://"  # Helm takes such a chart by its whole address
_INJECTED = {"sidecar": "aws-appmesh-envoy", "init": "aws-appmesh-proxy-route-manager"}

# What the chart's own documentation grants is some 250 lines; this is what the controller calls when all it does is
# bind (seen on 3.5.0). Without DescribeSecurityGroups node targets register nothing and every deletion hangs.
_BINDING_READS = (
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "ec2:DescribeVpcs",
    "ec2:DescribeSecurityGroups",
)
_BINDING_WRITES = ("elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets")

_MESH_ACTIONS = (
    *(f"appmesh:{verb}*" for verb in ("List", "Describe", "Create", "Update", "Delete")),
    *(
        f"servicediscovery:{call}"
        for call in (
            "CreateService",
            "DeleteService",
            "GetService",
            "GetInstance",
            "RegisterInstance",
            "DeregisterInstance",
            "ListInstances",
            "ListNamespaces",
            "ListServices",
            "GetInstancesHealthStatus",
            "UpdateInstanceCustomHealthStatus",
            "GetOperation",
        )
    ),
    "route53:GetHealthCheck",
    "route53:CreateHealthCheck",
    "route53:UpdateHealthCheck",
    "route53:ChangeResourceRecordSets",
    "route53:DeleteHealthCheck",
    "acm:ListCertificates",
    "acm:DescribeCertificate",
    "acm-pca:DescribeCertificateAuthority",
    "acm-pca:ListCertificateAuthorities",
)


@dataclass(frozen=True, kw_only=True)
class LoadBalancerControllerArgs:
    """``own_groups`` are the tags that tell this cluster's target groups, in which alone it may register anything.

    ``role_arn`` is that of a role which others made for it. ``deleted_with`` is None where the cluster is not the
    stack's: then it is taken out of it as any other object.
    """

    cluster_name: pulumi.Input[str]
    region: str
    vpc_id: pulumi.Input[str]
    chart_version: str
    own_groups: Mapping[str, str]
    iam: Iam
    mirrors: Mirrors
    deleted_with: pulumi.Resource | None
    role_arn: str | None = None


class LoadBalancerController(pulumi.ComponentResource):
    """The AWS Load Balancer Controller, with everything switched off but TargetGroupBindings."""

    release: k8s.helm.v3.Release

    def __init__(self, name: str, args: LoadBalancerControllerArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:controllers:LoadBalancerController", name, None, opts)
        # By tag and not by ARN: a list of ARNs would change with every route, and a controller that may no longer
        # deregister from a group that leaves would never let go of its binding.
        own = {"StringEquals": {f"aws:ResourceTag/{key}": value for key, value in args.own_groups.items()}}
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": _BINDING_READS, "Resource": "*"},
                {"Effect": "Allow", "Action": _BINDING_WRITES, "Resource": "*", "Condition": own},
            ],
        }
        self.release = _chart(
            self,
            f"{name}-aws-load-balancer-controller",
            chart="aws-load-balancer-controller",
            version=args.chart_version,
            namespace="kube-system",
            values={**_binding_only(args), **_image(args.mirrors, "aws-load-balancer-controller")},
            policy=json.dumps(policy),
            iam=args.iam,
            mirrors=args.mirrors,
            role_arn=args.role_arn,
            cluster_name=args.cluster_name,
            deleted_with=args.deleted_with,
        )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class AppMeshControllerArgs:
    """``account_id`` is given, so that the controller need not ask the nodes' metadata service."""

    cluster_name: pulumi.Input[str]
    region: str
    account_id: pulumi.Input[str]
    chart_version: str
    iam: Iam
    mirrors: Mirrors
    deleted_with: pulumi.Resource
    role_arn: str | None = None


class AppMeshController(pulumi.ComponentResource):
    """The App Mesh controller. It runs until its cluster goes, since it must outlive the mesh's objects."""

    release: k8s.helm.v3.Release

    def __init__(self, name: str, args: AppMeshControllerArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:controllers:AppMeshController", name, None, opts)
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": _MESH_ACTIONS, "Resource": "*"},
                {
                    "Effect": "Allow",
                    "Action": "iam:CreateServiceLinkedRole",
                    "Resource": "*",
                    "Condition": {"StringLike": {"iam:AWSServiceName": "appmesh.amazonaws.com"}},
                },
            ],
        }
        self.release = _chart(
            self,
            f"{name}-appmesh-controller",
            chart="appmesh-controller",
            version=args.chart_version,
            namespace="appmesh-system",
            values={
                "region": args.region,
                "accountId": args.account_id,
                "clusterName": args.cluster_name,
                "serviceAccount": {"create": True, "name": "appmesh-controller"},
                **_image(args.mirrors, "appmesh-controller"),
                **{part: image for part, name in _INJECTED.items() if (image := _image(args.mirrors, name))},
            },
            policy=json.dumps(policy),
            iam=args.iam,
            mirrors=args.mirrors,
            role_arn=args.role_arn,
            cluster_name=args.cluster_name,
            deleted_with=args.deleted_with,
        )
        self.register_outputs({})


def _binding_only(args: LoadBalancerControllerArgs) -> Mapping[str, Any]:
    return {
        "clusterName": args.cluster_name,
        "region": args.region,
        "vpcId": args.vpc_id,
        "replicaCount": 2,
        "podDisruptionBudget": {"maxUnavailable": 1},
        "keepTLSSecret": True,
        "serviceAccount": {"create": True, "name": "aws-load-balancer-controller"},
        # A throttled call is retried inside one reconcile, silently and holding a worker, and a failed one backs off
        # to a quarter of an hour. With these two a fault is an event within seconds, and is over within seconds.
        "awsMaxRetries": 2,
        "targetgroupbindingMaxExponentialBackoffDelay": "5s",
        "createIngressClassResource": False,
        "ingressClass": "eks-cutover-unused",  # empty would mean every Ingress without a class
        "ingressClassParams": {"create": False},
        "webhookConfig": {"disableIngressValidation": True},
        "enableServiceMutatorWebhook": False,
        "enableShield": False,
        "enableWaf": False,
        "enableWafv2": False,
        "enableBackendSecurityGroup": False,
        "controllerConfig": {
            "featureGates": {
                "EnableServiceController": False,
                "ALBGatewayAPI": False,
                "NLBGatewayAPI": False,
                "GatewayListenerSet": False,
            }
        },
    }


def _image(mirrors: Mirrors, name: str) -> Mapping[str, Any]:
    return {"image": {"repository": f"{mirrors.images}/{name}"}} if mirrors.images else {}


def _chart(
    parent: pulumi.Resource,
    name: str,
    *,
    chart: str,
    version: str,
    namespace: str,
    values: Mapping[str, Any],
    policy: str,
    iam: Iam,
    mirrors: Mirrors,
    role_arn: str | None,
    cluster_name: pulumi.Input[str],
    deleted_with: pulumi.Resource | None,
) -> k8s.helm.v3.Release:
    """Install a chart whose pods are given a role by EKS Pod Identity under a service account of the chart's name."""
    child = ResourceOptions(parent=parent)
    arn: pulumi.Input[str] = role_arn or ""
    permissions: Sequence[pulumi.Resource] = ()
    if role_arn is None:
        role = roles.role(name, roles.POD_IDENTITY, iam, child)
        arn, permissions = role.arn, [aws.iam.RolePolicy(name, role=role.name, policy=policy, opts=child)]
    association = aws.eks.PodIdentityAssociation(
        name,
        cluster_name=cluster_name,
        namespace=namespace,
        service_account=chart,
        role_arn=arn,
        # So that whoever compares the roles of two clusters knows that this one is the stack's.
        tags=own_tags(),
        opts=child,
    )
    charts = mirrors.charts or _CHARTS
    by_address = charts.startswith(_OCI)
    return k8s.helm.v3.Release(
        name,
        name=chart,
        chart=f"{charts}/{chart}" if by_address else chart,
        version=version,
        namespace=namespace,
        create_namespace=namespace != "kube-system",
        repository_opts=None if by_address else k8s.helm.v3.RepositoryOptsArgs(repo=charts),
        values=values,
        # Pods that start before the association have no credentials until they are restarted.
        opts=ResourceOptions(parent=parent, depends_on=[association, *permissions], deleted_with=deleted_with),
    )
