"""Who asks AWS: a session with the credentials, the roles and the account that the stack's provider uses.

Refuses to own what is asked.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from cutover.calls import OutsideError, client, failing_as, open_session, waiting
from settings.aws import account_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import boto3

    from settings import Settings
    from settings.aws import AssumedRole, Aws


class LiveError(OutsideError):
    """AWS could not be read. The text says which call failed and why."""


def session(aws: Aws) -> boto3.Session:
    """Return a session with the credentials that the stack's provider uses: its profile, then its roles in order.

    :raises LiveError: there is no such profile, credentials cannot be loaded, a role may not be assumed, or the account
        is none that is allowed
    """
    current = in_role(own_session(aws), aws.assume_roles)
    if aws.allowed_account_ids:
        with failing_as(LiveError):
            account = client(current, "sts").get_caller_identity()["Account"]
        check_account(aws, [account])
    return current


class Sessions:
    """Sessions in the accounts of a stack's clusters and hosted zones, each role assumed once, from any thread."""

    def __init__(self, settings: Settings, account: boto3.Session) -> None:
        self._settings = settings
        self._opened: dict[str | None, boto3.Session] = {None: account}
        self._opening = Lock()

    def of(self, cluster: str) -> boto3.Session:
        """Return a session in the account of a cluster.

        :raises LiveError: as `session` does
        """
        there = self._settings.clusters.get(cluster)  # what the file has no more is asked for in the stack's own
        return self._open(there.role if there else None)

    def of_zone(self, load_balancer: str) -> boto3.Session:
        """Return a session in the account of the hosted zone of a load balancer's names.

        :raises LiveError: as `session` does
        """
        return self._open(self._settings.own_load_balancers[load_balancer].dns.assume_role)

    def _open(self, role: str | None) -> boto3.Session:
        with self._opening:
            if role not in self._opened:
                self._opened[role] = session(self._settings.aws.elsewhere(role))
            return self._opened[role]


def own_session(aws: Aws) -> boto3.Session:
    """Return a session with the credentials of the stack's profile, else of the environment, as they are.

    :raises LiveError: there is no such profile, or credentials cannot be loaded
    """
    with failing_as(LiveError):
        current = open_session(profile_name=aws.profile, region_name=aws.region)
        _check_credentials(current)
    return current


def in_role(current: boto3.Session, roles: Iterable[AssumedRole]) -> boto3.Session:
    """Return a session in the last of some roles, each of which assumes the next; of none, the one that is given.

    :raises LiveError: STS lends no credentials of a role
    """
    for role in roles:
        named = {"RoleSessionName": role.session_name or "eks-cutover"}
        outside = {"ExternalId": role.external_id} if role.external_id else {}
        with failing_as(LiveError):
            answer = client(current, "sts").assume_role(RoleArn=role.role_arn, **named, **outside)
            credentials = answer["Credentials"]
            current = open_session(
                aws_access_key_id=credentials["AccessKeyId"],
                aws_secret_access_key=credentials["SecretAccessKey"],
                aws_session_token=credentials["SessionToken"],
                region_name=current.region_name,
            )
    return current


def check_account(aws: Aws, accounts: Iterable[str]) -> None:
    """Refuse accounts that are not the stack's: they are not allowed, or not that of its last role.

    :raises LiveError: one is not
    """
    of_role = tuple(account_of(role.role_arn) for role in aws.assume_roles[-1:])
    for says, right in (("allowedAccountIds allows", aws.allowed_account_ids), ("assumeRoles ends in", of_role)):
        if right and (wrong := sorted(set(accounts) - set(right))):
            raise LiveError(
                f"the credentials are of account {', '.join(wrong)}, and aws:{says} {', '.join(right)}. Nothing was "
                "changed. Use credentials of that account"
            )


def _check_credentials(current: boto3.Session) -> None:
    """Load the credentials: else the first client says what is wrong with them, wherever that is made.

    :raises LiveError: they cannot be loaded
    """
    with (
        failing_as(lambda why: LiveError(f"no credentials could be loaded ({why})")),
        waiting("the credentials"),
    ):
        if credentials := current.get_credentials():
            credentials.get_frozen_credentials()
