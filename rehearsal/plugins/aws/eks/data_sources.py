"""The emulated data source of a cluster that stands already, whoever made it.

Refuses to own the resource (cluster.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.eks_documents import CLUSTERS
from rehearsal.cloud.refused import Refused
from rehearsal.plugins.aws.eks.standing import find_cluster

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def cluster(aws: Aws, args: Props) -> Props:
    """Answer `aws.eks.getCluster`, which asks by name."""
    name = args["name"]
    found, own = find_cluster(aws, name), aws.store.get(CLUSTERS, name)
    if found is None or own is None:
        raise Refused(
            f"invocation of aws:eks/getCluster:getCluster returned an error: reading EKS Cluster ({name}): couldn't "
            "find resource"
        )
    network = found["resourcesVpcConfig"]
    return {
        "id": name,
        "name": name,
        "arn": found["arn"],
        "endpoint": own["endpoint"],
        "version": own["version"],
        "status": found["status"],
        "certificateAuthorities": [{"data": own["certificateAuthority"]}],
        "accessConfigs": [{"authenticationMode": own["authenticationMode"]}],
        "identities": [{"oidcs": [{"issuer": own["issuer"]}]}],
        "vpcConfig": {
            "vpcId": own["vpcId"],
            "clusterSecurityGroupId": own["securityGroup"],
            "subnetIds": network.get("subnetIds", []),
            "securityGroupIds": network.get("securityGroupIds", []),
            "endpointPrivateAccess": network.get("endpointPrivateAccess", False),
            "endpointPublicAccess": network.get("endpointPublicAccess", True),
            "publicAccessCidrs": network.get("publicAccessCidrs", []),
        },
    }
