"""Load the settings, wire the components, export what people ask for."""

import pulumi
import pulumi_aws as aws

import settings as configuration
from cutover.engine import binding, ground, hooks, import_hooks, node_counts, object_hooks, record_hooks
from settings.version import VERSION
from wiring import answer_layer, cluster_layer, route_layer, shared_layer

settings = configuration.load()
for warning in settings.warnings:
    pulumi.log.warn(warning)
ground.check(settings)
taken = import_hooks.Imports(settings)
taken.check()
binding.install(
    taken.hooked,
    hooks.gate(settings, taken.refused),
    object_hooks.objects(settings),
    record_hooks.records(settings),
)

cloud = aws.Provider("aws", **settings.aws.provider_arguments(pulumi.get_project(), settings.stack))
shared = shared_layer(settings, cloud)
routes = route_layer(settings, shared, cloud)
answer_layer(settings, shared, cloud)
counts = node_counts.wanted(settings)
clusters = {
    key: cluster_layer(settings, key, shared, routes, cloud, node_counts=counts.get(key, {}))
    for key in settings.clusters
}

pulumi.export("version", VERSION)
pulumi.export("urls", [url for balancer in shared.load_balancers.values() for url in balancer.urls])
pulumi.export("loadBalancers", {name: balancer.dns_name for name, balancer in shared.load_balancers.items()})
pulumi.export("rules", {name: route.rule_arn for name, route in routes.items()})
pulumi.export("targetGroups", {name: route.target_group_arns for name, route in routes.items()})
pulumi.export("weights", {name: route.weights for name, route in routes.items()})
pulumi.export(
    "clusters",
    {
        key: {
            "name": cluster.eks_name,
            "version": cluster.version,
            "kubeconfig": pulumi.Output.format(
                "aws eks update-kubeconfig --region {0} --name {1}", settings.aws.region, cluster.eks_name
            ),
            **cluster.told,
        }
        for key, cluster in clusters.items()
    },
)
