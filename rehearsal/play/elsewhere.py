"""What a stack file says was made elsewhere: made by plain calls, as its maker would, before the stack is there.

Owns what a file with such things is played with. Refuses to own how they are made (brownfield.py), and the acts.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.kubernetes.cluster import AUTO_MODE, LOAD_BALANCER_CONTROLLER
from rehearsal.play import foreign_cluster, stackfile
from rehearsal.play.brownfield import PLACES, PORT, Brownfield, brownfield
from rehearsal.play.foreign_cluster import OWN_ACCOUNT, Land, land
from rehearsal.play.load import Names
from rehearsal.play.waiting import until

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from rehearsal.engine.sandbox import Sandbox
    from rehearsal.play.stackfile import Config

_BALANCERS, _CLUSTERS, _ROUTES = (f"eks-cutover:{key}" for key in ("loadBalancers", "clusters", "routes"))
_PORTS = (80, 443)
_WILD = set("*?")
_PLAYED_OF_CLUSTERS = {"assumeRole", "loadBalancerCidrs"}
_OTHER_ACCOUNT = "210987654321"
_SECOND_VPC = 60  # of the range of a VPC beside the load balancer's
_ROOM = 100  # behind the stack's last place stands the rule that answers its hosts: room for two routes before it


def listeners(config: Config) -> dict[str, Any]:
    """Return the load balancers of a stack file that were made elsewhere."""
    return {key: one for key, one in config[_BALANCERS].items() if "existing" in one}


def clusters(config: Config) -> dict[str, Any]:
    """Return the clusters of a stack file that were made elsewhere."""
    return {key: one for key, one in config[_CLUSTERS].items() if "existing" in one}


def by_gitops(config: Config) -> list[str]:
    """Return the clusters whose bindings GitOps applies."""
    return [key for key, one in clusters(config).items() if one.get("bindings", {}).get("applyBy") == "gitops"]


def as_played(config: Config) -> list[str]:
    """Edit what of such a file cannot be played as it is, and return what is played otherwise, as sentences."""
    said = _accounts_as_played(config)
    if not listeners(config):
        return said
    for key, one in listeners(config).items():
        there = one["existing"]
        port = there.get("port", PORT)
        if "listenerArn" in there or port not in _PORTS:
            name = there.get("name") or there["listenerArn"].split("/")[2]
            one["existing"] = {"name": name, "port": port if port in _PORTS else PORT}
            said.append(f"loadBalancers.{key}.existing: its listener on {one['existing']['port']} stands for it.")
    routes = config[_ROUTES]
    if grpc := [name for name, route in routes.items() if route.get("protocolVersion") == "GRPC"]:
        for name in grpc:
            del routes[name]
        said.append(f"routes.{', '.join(grpc)}: left out, since what answers before them is played for HTTP alone.")
    for route in routes.values():
        route["live"] = True  # once it is: the first acts say otherwise
    return said


@contextmanager
def standing(sandbox: Sandbox, config: Config) -> Generator[list[Brownfield]]:
    """Make what a stack file names as made elsewhere, if it names any, and let it answer for the length of a block."""
    network = config.get("eks-cutover:network", {})
    public = network.get("publicSubnetIds", [])  # of which a load balancer that is internal needs none
    at = Land(network["vpcId"], public, network["privateSubnetIds"]) if "vpcId" in network else None
    with ExitStack() as stood:
        made: list[Brownfield] = []
        for key, one in listeners(config).items():
            behind = one["rulePriorities"]["max"]
            places = [*range(behind + 1, behind + len(PLACES)), behind + _ROOM]
            hosts = [host for route in _on(config, key) for host in route.get("hosts", ())]
            name, port = one["existing"]["name"], one["existing"]["port"]
            made.append(
                stood.enter_context(
                    brownfield(sandbox, *dict.fromkeys(hosts), name=name, port=port, places=places, at=at)
                )
            )
            at = made[0].land
        _make_clusters(sandbox, config, at)
        yield made


def lead_curl(sandbox: Sandbox, config: Config) -> dict[str, str]:
    """Lead curl to the listeners that stand, by their hosts, and return the variable that tells it so.

    No name leads anywhere else on this machine.
    """
    names, lines, direct = Names(sandbox.store, sandbox.aws("route53")), list[str](), ["localhost", "127.0.0.0/8"]
    for key in listeners(config):
        for host in dict.fromkeys(host for route in _on(config, key) for host in route.get("hosts", ())):
            if not _WILD.intersection(host):
                until(f"{host} answers", lambda host=host: _leads(names, host), str)
                address, port = names.resolve(host, grpc=False)
                lines.append(f'connect-to = "{host}::{address}:{port}"\n')
                direct.append(host)  # not by the proxy that keeps all others on this machine
    lines.append(f'noproxy = "{",".join(direct)}"\n')
    (sandbox.folder / ".curlrc").write_text("".join(lines), encoding="utf-8")
    return {"CURL_HOME": str(sandbox.folder)}


def _leads(names: Names, host: str) -> bool:
    try:
        return bool(names.resolve(host, grpc=False))
    except LookupError:
        return False


def _make_clusters(sandbox: Sandbox, config: Config, at: Land | None) -> None:
    """Make what others' clusters a stack file names: ``at`` a VPC that is there, or in one of each account's own."""
    namespaces, lands = {route["service"]["namespace"] for route in stackfile.routes(config).values()}, {"": at}
    for key, one in clusters(config).items():
        account = account_of_role(sandbox, one["existing"].get("assumeRole", ""))
        there = lands.get(account) or land(sandbox, account, f"10.{_SECOND_VPC + len(lands)}")
        lands[account] = there
        controller = one.get("loadBalancerController", {})
        if to := controller.get("iamRoleArnToAssume"):
            foreign_cluster.role(sandbox, to, account, controller.get("assumeRoleExternalId", ""))
        chart = AUTO_MODE if controller.get("managedBy") == "autoMode" else LOAD_BALANCER_CONTROLLER
        level = controller.get("crdLevel", "")
        foreign_cluster.cluster(sandbox, there, key, sorted(namespaces), chart, level=level)


def apply(sandbox: Sandbox, stack: str, cluster: str) -> None:
    """Apply what `cutover manifests` prints for a cluster, as GitOps does.

    :raises TimeoutError: it prints none, and an act that waits for the bindings would never begin
    """
    said = sandbox.cutover("manifests", cluster, "-s", stack)
    if said.returncode:
        raise TimeoutError(f"cutover manifests {cluster}: {said.stderr}")
    foreign_cluster.apply(sandbox, cluster, said.stdout)


def withdraw(sandbox: Sandbox, config: Config, cluster: str) -> None:
    """Take a cluster's bindings out, as GitOps does, and wait until they are."""
    for name, route in stackfile.routes(config).items():
        foreign_cluster.withdraw(sandbox, cluster, route["service"]["namespace"], name)
    until(f"the bindings of {cluster} are gone", lambda: not foreign_cluster.bindings(sandbox, cluster), str)


def _accounts_as_played(config: Config) -> list[str]:
    """Edit what clusters and zones in other accounts are played as, and return what is otherwise, as sentences."""
    said: list[str] = []
    for key, one in clusters(config).items():
        kept = {field: value for field, value in one["existing"].items() if field in _PLAYED_OF_CLUSTERS}
        one["existing"] = {**kept, "name": key}  # by which its pods answer, as the stack's own do
        controller = one.get("loadBalancerController", {})
        if to := controller.get("iamRoleArnToAssume"):
            controller["iamRoleArnToAssume"] = _in_account(to, OWN_ACCOUNT)
            said.append(f"clusters.{key}: its targets are registered in {OWN_ACCOUNT}, which stands for your account.")
        if role := kept.get("assumeRole"):
            apart = _OTHER_ACCOUNT if f":{OWN_ACCOUNT}:" in role else role.split(":")[4]
            one["existing"]["assumeRole"] = _in_account(role, apart if to else OWN_ACCOUNT)
            if to and one.get("securityGroupRules") != "none" and "loadBalancerCidrs" not in kept:
                one["securityGroupRules"] = "none"
                said.append(f"clusters.{key}.securityGroupRules: none, since a shared VPC is played as one of its own.")
    return said


def account_of_role(sandbox: Sandbox, role: str) -> str:
    """Return the account of a role, which is made where it is not there: empty for the stack's own, as for no role."""
    return foreign_cluster.role(sandbox, role) if role else ""


def _in_account(role: str, account: str) -> str:
    return ":".join([*role.split(":")[:4], account, *role.split(":")[5:]])


def _on(config: Config, balancer: str) -> list[Mapping[str, Any]]:
    first = next(iter(config[_BALANCERS]))
    return [route for route in config[_ROUTES].values() if route.get("loadBalancer", first) == balancer]
