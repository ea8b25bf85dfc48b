"""The quotas of EC2 on vCPU, where moto's Service Quotas has those of VPC alone.

The values are what AWS gives a new account (EC2 user guide, on-demand and spot quotas). Refuses to enforce them.
"""

from __future__ import annotations

from typing import Any

from moto.servicequotas.models import ServiceQuotasBackend

_FAMILIES = "Standard (A, C, D, H, I, M, R, T, Z)"
_VCPU = {
    "L-1216C47A": (f"Running On-Demand {_FAMILIES} instances", 5.0),
    "L-34B43A08": (f"All {_FAMILIES} Spot Instance Requests", 5.0),
}
_others = ServiceQuotasBackend.get_service_quota


def install() -> None:
    """Let moto's Service Quotas answer for EC2's vCPU too."""
    ServiceQuotasBackend.get_service_quota = _quota


def _quota(self: ServiceQuotasBackend, service_code: str, quota_code: str) -> dict[str, Any]:
    if service_code != "ec2" or quota_code not in _VCPU:
        return _others(self, service_code, quota_code)
    name, value = _VCPU[quota_code]
    return {
        "ServiceCode": "ec2",
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaArn": f"arn:aws:servicequotas:{self.region_name}:{self.account_id}:ec2/{quota_code}",
        "QuotaCode": quota_code,
        "QuotaName": name,
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }
