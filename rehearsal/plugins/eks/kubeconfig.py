"""The way into a cluster: its kubeconfig, handed out once its API answers.

In the shape of pulumi-eks 4.4.0. Refuses to log in: the aws CLI does, or whoever reads it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi

from rehearsal.cloud.kubernetes.cluster import Cluster as ApiServer
from rehearsal.cloud.store import Store

_LOOKS, _LOOK_SECONDS = 60, 5


def kubeconfig(name: str, endpoint: str, authority: str, arn: str) -> dict[str, Any]:
    """Return the kubeconfig of a cluster, which logs in by the aws CLI, in the shape of pulumi-eks."""
    region = arn.split(":")[3]
    login = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": ["--region", region, "eks", "get-token", "--cluster-name", name, "--output", "json"],
        "env": [
            {
                "name": "KUBERNETES_EXEC_INFO",
                "value": '{"apiVersion": "client.authentication.k8s.io/v1beta1"}',
            }
        ],
    }
    server = {"server": endpoint, "certificate-authority-data": authority}
    return {
        "apiVersion": "v1",
        "clusters": [{"cluster": server, "name": "kubernetes"}],
        "contexts": [{"context": {"cluster": "kubernetes", "user": "aws"}, "name": "aws"}],
        "current-context": "aws",
        "kind": "Config",
        "users": [{"name": "aws", "user": {"exec": login}}],
    }


async def once_it_answers(parts: list[str]) -> str:
    """Return the endpoint once its API server answers, or after five minutes: so it is where the endpoint is public."""
    name, endpoint = parts
    cluster = ApiServer(Store.of_this_rehearsal(), name)
    for _ in range(_LOOKS if not pulumi.runtime.is_dry_run() else 0):
        if not cluster.unreachable:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    return endpoint
