"""A stack file with every key that a real account asks for, on top of "prod": what the engine and AWS make of it."""

from __future__ import annotations

import copy
from typing import Any

from tests.conftest import stack_config

ACCOUNT = "arn:aws:iam::123456789012"
KEY = "arn:aws:kms:ap-northeast-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
LOGS = "shop-logs"
REGISTRY = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com"
REDIRECT = {"host": "www.example.com", "path": "/old/#{path}", "code": "302"}
EBS = {
    "version": "v1.54.0-eksbuild.1",
    "configuration": {"controller": {"replicaCount": 2}},
    "role": {
        "serviceAccount": "ebs-csi-controller-sa",
        "policyArns": ["arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"],
    },
}

SECRET = "a-client-secret-that-nobody-may-read"
OIDC = {
    "issuer": "https://login.example.com",
    "authorizationEndpoint": "https://login.example.com/authorize",
    "tokenEndpoint": "https://login.example.com/token",
    "userInfoEndpoint": "https://login.example.com/userinfo",
    "clientId": "shop",
    "clientSecret": SECRET,
    "scope": "openid email",
    "sessionCookieName": "Beta",
    "sessionTimeout": 28800,
}
COGNITO = {
    "userPoolArn": "arn:aws:cognito-idp:ap-northeast-1:123456789012:userpool/ap-northeast-1_AbCdEf",
    "userPoolClientId": "shop",
    "userPoolDomain": "shop",
    "onUnauthenticatedRequest": "deny",
}
ROLES = {"clusterRoleArn": "eks", "nodeRoleArn": "nodes", "controllers.loadBalancerRoleArn": "controller"}
"""Roles that others made for the newer cluster: their names, under /org/, by key."""

BATCH: dict[str, Any] = {
    "instanceTypes": ["m7i.large"],
    "minSize": 0,
    "desiredSize": 1,
    "maxSize": 4,
    "capacityType": "SPOT",
    "diskSize": 100,
    "zones": ["ap-northeast-1c"],
    "updatePolicy": {"maxUnavailable": 2, "strategy": "MINIMAL"},
    "labels": {"pool": "batch"},
    "taints": [{"key": "batch", "value": "yes", "effect": "NO_SCHEDULE"}],
}


def every_key() -> dict[str, Any]:
    """Return the configuration."""
    config = copy.deepcopy(stack_config("prod"))
    for cluster in config["eks-cutover:clusters"].values():
        cluster["addons"]["aws-ebs-csi-driver"] = copy.deepcopy(EBS)
        cluster["encryptionKeyArn"] = KEY
        cluster["karpenter"] = {}
        cluster |= {"logRetentionDays": 90, "tags": {"team": "shop"}}
        release = {"releaseVersion": f"{cluster['version']}.0-20260801"}
        cluster["nodes"] = {"nodes": cluster["nodes"], "batch": {**copy.deepcopy(BATCH), **release}}
    for key, role in ROLES.items():
        of, _, name = key.rpartition(".")
        newer = config["eks-cutover:clusters"]["v1-36"]
        (newer[of] if of else newer)[name] = f"{ACCOUNT}:role/org/{role}"
    config["eks-cutover:iam"] = {"path": "/eks/", "permissionsBoundary": f"{ACCOUNT}:policy/boundary"}
    config["eks-cutover:mirrors"] = {"charts": f"oci://{REGISTRY}/charts", "images": f"{REGISTRY}/eks"}
    config["eks-cutover:podIdentities"] = {"orders/orders": f"{ACCOUNT}:role/orders"}
    config["eks-cutover:loadBalancers"]["public"] |= {
        "zones": ["example.org"],
        "names": ["www.example.com", "shop.example.org"],
        "idleTimeout": 120,
        "clientKeepAlive": 600,
        "forwardedFor": "preserve",
        "preserveHostHeader": True,
        "tlsPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "accessLogs": {"bucket": LOGS, "prefix": "shop/public"},
        "connectionLogs": {"bucket": LOGS},
    }
    routes = config["eks-cutover:routes"]
    routes["web"] |= {"protocol": "HTTPS", "healthCheck": {"path": "/healthz", "port": 9090, "protocol": "HTTP"}}
    routes["web"]["probes"] = [{"path": "/"}, {"host": "www.example.com", "path": "/account", "expect": "200,302"}]
    routes["orders"] |= {"query": [{"key": "v", "value": "2*"}], "authenticate": {"cognito": dict(COGNITO)}}
    routes["beta"] = {
        **routes["web"],
        "probes": [],
        "priority": 2,
        "hosts": [],
        "paths": ["/beta/*"],
        "headers": {"X-Beta": ["yes"]},
        "authenticate": {"oidc": dict(OIDC)},
    }
    routes["old"] = {
        "loadBalancer": "public",
        "priority": 3,
        "methods": ["GET"],
        "hosts": ["old.example.com"],
        "redirect": REDIRECT,
    }
    routes["page"] = {"loadBalancer": "public", "priority": 4, "paths": ["/page"], "fixedResponse": {"code": "503"}}
    return config
