"""What is deployed: one component, one file. No call of an SDK of AWS, no reading of configuration, no export."""

import pulumi_aws as aws
import pulumi_kubernetes as k8s

# The SDKs load a module when something in it is first used, and two threads that do so at once find half of it. What a
# stack uses is loaded here, before there is a second thread.
for _module in (
    *(aws.acm, aws.cloudwatch, aws.ec2, aws.eks, aws.iam, aws.lb, aws.route53, aws.servicediscovery, aws.sqs, aws.vpc),
    *(k8s.apiextensions, k8s.core.v1, k8s.helm.v3, k8s.meta.v1),
):
    hasattr(_module, "__all__")
