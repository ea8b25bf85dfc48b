"""How long EKS still supports the version of a cluster, and what it does when that ends. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True, kw_only=True)
class Support:
    """The support of a cluster's version: the days on which standard and extended support end, if EKS told them.

    ``policy`` is STANDARD or EXTENDED: at the end of which support EKS upgrades the control plane by itself.
    ``unread`` says why EKS could not be asked, and is empty when it could.
    """

    cluster: str
    version: str
    policy: str
    standard: date | None = None
    extended: date | None = None
    unread: str = ""

    @property
    def forced(self) -> date | None:
        """The day from which EKS upgrades the cluster by itself."""
        return self.standard if self.policy == "STANDARD" else self.extended
