"""What EKS's API tells beyond moto: the support of versions, insights, Pod Identity, and where a cluster answers.

Owns the answers to DescribeClusterVersions, ListInsights, DescribeInsight, StartInsightsRefresh,
DescribeInsightsRefresh, ListPodIdentityAssociations and DescribePodIdentityAssociation, and adds to moto's answers to
DescribeCluster and DescribeNodegroup what the `aws` plugin keeps of a cluster, and a node group's tags. Refuses to own
every other call, which is moto's. Every list comes in one page.

EKS finds nothing in a cluster unless a test plays it: a document of the kind ``eks/insight``, its key the insight's id,
with ``clusterName`` and all that DescribeInsight tells but the id. A refresh has completed when it is asked for.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from rehearsal.cloud.eks_documents import (
    ACCESS_ENTRIES,
    ADDONS,
    CLUSTERS,
    DEFAULT_VERSION,
    NO_SUCH_ENTRY,
    NODE_GROUP_TAGS,
    POD_IDENTITIES,
)
from rehearsal.cloud.eks_limits import ADDON_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from rehearsal.cloud.store import Store

INSIGHT = "eks/insight"

_REFRESH = "eks/insights-refresh"
# When EKS released a version, and the ends of its standard and extended support. 1.33 and 1.34 from the release
# calendar of the EKS user guide, the later ones from endoflife.date/amazon-eks (2026-08-22).
_VERSIONS = {
    "1.36": (date(2026, 6, 2), date(2027, 8, 2), date(2028, 8, 2)),
    "1.35": (date(2026, 1, 28), date(2027, 3, 27), date(2028, 3, 27)),
    "1.34": (date(2025, 10, 2), date(2026, 12, 2), date(2027, 12, 2)),
    "1.33": (date(2025, 5, 29), date(2026, 7, 29), date(2027, 7, 29)),
}
_OF_VERSIONS = {"clusterVersions", "includeAll"}
_OF_ASSOCIATION = ("clusterName", "namespace", "serviceAccount", "associationArn")
_OF_ASSOCIATION_ALONE = ("roleArn", "targetRoleArn", "disableSessionTags")
_OF_ENTRY = ("clusterName", "principalArn", "accessEntryArn", "kubernetesGroups", "type")
_CALLS = Map(
    [
        Rule("/cluster-versions", endpoint="versions", methods=["GET"]),
        Rule("/addons/supported-versions", endpoint="addons", methods=["GET"]),
        Rule("/clusters/<name>", endpoint="cluster", methods=["GET"]),
        Rule("/clusters/<name>/node-groups/<group>", endpoint="node-group", methods=["GET"]),
        Rule("/clusters/<name>/access-entries/<path:principal>", endpoint="entry", methods=["GET"]),
        Rule("/clusters/<name>/insights", endpoint="insights", methods=["POST"]),
        Rule("/clusters/<name>/insights/<insight>", endpoint="insight", methods=["GET"]),
        Rule("/clusters/<name>/insights-refresh", endpoint="refresh", methods=["POST"]),
        Rule("/clusters/<name>/insights-refresh", endpoint="refreshed", methods=["GET"]),
        Rule("/clusters/<name>/addons", endpoint="installed", methods=["GET"]),
        Rule("/clusters/<name>/pod-identity-associations", endpoint="associations", methods=["GET"]),
        Rule("/clusters/<name>/pod-identity-associations/<association>", endpoint="association", methods=["GET"]),
    ]
)


class _Refusal(Exception):  # noqa: N818 - it is an answer of AWS
    def __init__(self, message: str, code: str = "ResourceNotFoundException", status: int = 404) -> None:
        super().__init__(message)
        self.code, self.status = code, status


class EksApi:
    """A WSGI application over ``moto`` that answers what is asked of EKS."""

    def __init__(self, moto: WSGIApplication, store: Store) -> None:
        self._moto = moto
        self._store = store

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        try:
            call, named = _CALLS.bind_to_environ(environ).match()
        except HTTPException:
            return self._moto(environ, start_response)
        request = Request(environ)
        try:
            if call == "cluster":
                response = self._cluster(request, **named)
            elif call == "node-group":
                response = self._node_group(request, **named)
            else:
                response = _json(self._answer(call, named, request))
        except _Refusal as refusal:
            response = _json({"message": str(refusal)}, refusal.status)
            response.headers["x-amzn-ErrorType"] = refusal.code
        return response(environ, start_response)

    def _answer(self, call: str, named: Mapping[str, str], request: Request) -> Any:
        answer: Any
        match call:
            case "versions":
                answer = {"clusterVersions": list(_versions(request))}
            case "addons":
                answer = {"addons": list(self._addons(request))}
            case "installed":
                keys = (key.partition(":") for key in sorted(self._store.all(ADDONS)))
                answer = {"addons": [addon for cluster, _, addon in keys if cluster == named["name"]]}
            case "entry":
                answer = {"accessEntry": self._entry(**named)}
            case "insights":
                answer = {"insights": list(self._insights(named["name"], request.get_json().get("filter", {})))}
            case "insight":
                answer = {"insight": self._insight(**named)}
            case "refresh" | "refreshed":
                answer = self._refresh(named["name"], start=call == "refresh")
            case "associations":
                answer = {"associations": list(self._associations(named["name"], request))}
            case _:
                answer = {"association": self._association(**named)}
        return answer

    def _cluster(self, request: Request, name: str) -> Response:
        """Return moto's answer with what the store has: the way to it, version, VPC, login, Auto Mode."""
        response = Response.from_app(self._moto, request.environ)
        if own := self._store.get(CLUSTERS, name):
            answer: Any = response.get_json()
            if "cluster" in answer:
                answer["cluster"] |= {
                    "endpoint": own["endpoint"],
                    "certificateAuthority": {"data": own["certificateAuthority"]},
                    "identity": {"oidc": {"issuer": own["issuer"]}},
                    "version": own["version"],
                    "resourcesVpcConfig": {
                        **answer["cluster"].get("resourcesVpcConfig", {}),
                        "vpcId": own["vpcId"],
                        "clusterSecurityGroupId": own["securityGroup"],
                    },
                    "accessConfig": {"authenticationMode": own["authenticationMode"]},
                    "computeConfig": {"enabled": own["autoMode"]},
                    "kubernetesNetworkConfig": {
                        **(answer["cluster"].get("kubernetesNetworkConfig") or {}),
                        "elasticLoadBalancing": {"enabled": own["autoMode"]},
                    },
                }
                response.set_data(json.dumps(answer))
        return response

    def _node_group(self, request: Request, name: str, group: str) -> Response:
        """Return moto's answer with the tags that the store has."""
        response = Response.from_app(self._moto, request.environ)
        answer: Any = response.get_json()
        if "nodegroup" in answer and (tags := self._store.get(NODE_GROUP_TAGS, f"{name}:{group}")) is not None:
            answer["nodegroup"]["tags"] = tags
            response.set_data(json.dumps(answer))
        return response

    def _addons(self, request: Request) -> Iterable[Any]:
        """Tell the versions that a test plays; of an add-on without any the emulated EKS has no list to tell."""
        addon, kubernetes = (request.args.get(key, "") for key in ("addonName", "kubernetesVersion"))
        played = self._store.get(ADDON_VERSIONS, f"{addon}:{kubernetes}")
        if played is None:
            raise _Refusal(
                f"The rehearsal has no list of the versions of {addon} for {kubernetes}", "ServerException", 500
            )
        told = [{"addonVersion": version, "compatibilities": []} for version in played["versions"]]
        yield {"addonName": addon, "addonVersions": told}

    def _entry(self, name: str, principal: str) -> Any:
        self._require(name)
        found = self._store.get(ACCESS_ENTRIES, f"{name}:{principal}")
        if found is None:
            raise _Refusal(NO_SUCH_ENTRY)
        told = {of: found[of] for of in _OF_ENTRY if of in found}
        return {"tags": found["tagsAll"], **told}

    def _insights(self, name: str, wanted: Mapping[str, list[str]]) -> Iterable[Any]:
        self._require(name)
        for key, insight in self._store.all(INSIGHT).items():
            tells = {
                "categories": insight["category"],
                "kubernetesVersions": insight["kubernetesVersion"],
                "statuses": insight["insightStatus"]["status"],
            }
            if insight["clusterName"] == name and all(tells[of] in values for of, values in wanted.items()):
                yield {"id": key, **insight}  # clients take from it what a list tells

    def _insight(self, name: str, insight: str) -> Any:
        self._require(name)
        found = self._store.get(INSIGHT, insight)
        if found is None or found["clusterName"] != name:
            raise _Refusal(f"No insight found for id: {insight}.")
        return {"id": insight, **found}

    def _refresh(self, name: str, *, start: bool) -> Any:
        self._require(name)
        if start:
            self._store.put(_REFRESH, name, {"startedAt": datetime.now(UTC).timestamp()})
            return {"status": "IN_PROGRESS", "message": "Insights refresh is in progress"}
        started = self._store.get(_REFRESH, name)
        if started is None:
            raise _Refusal(f"No insights refresh found for cluster: {name}.")
        return {"status": "COMPLETED", "message": "", **started, "endedAt": started["startedAt"]}

    def _associations(self, name: str, request: Request) -> Iterable[Any]:
        self._require(name)
        wanted = {"clusterName": name, **request.args.to_dict()}
        for key, found in self._store.all(POD_IDENTITIES).items():
            if all(found.get(of) == value for of, value in wanted.items()):
                yield {"associationId": key, **{of: found[of] for of in _OF_ASSOCIATION}}

    def _association(self, name: str, association: str) -> Any:
        self._require(name)
        found = self._store.get(POD_IDENTITIES, association)
        if found is None or found["clusterName"] != name:
            raise _Refusal(f"The specified association ID, {association}, could not be found.")
        told = {of: found[of] for of in (*_OF_ASSOCIATION, *_OF_ASSOCIATION_ALONE) if of in found}
        return {"associationId": association, "tags": found["tagsAll"], **told}

    def _require(self, name: str) -> None:
        if self._store.get(CLUSTERS, name) is None:
            raise _Refusal(f"No cluster found for name: {name}.")


def _versions(request: Request) -> Iterable[Any]:
    if strange := request.args.keys() - _OF_VERSIONS:
        raise _Refusal(
            f"The rehearsal's EKS lists versions by {' and '.join(sorted(_OF_VERSIONS))}, not by "
            f"{', '.join(sorted(strange))}",
            "InvalidParameterException",
            400,
        )
    wanted, today = request.args.getlist("clusterVersions"), datetime.now(UTC).date()
    for version, (released, standard, extended) in _VERSIONS.items():
        supported = today < extended or request.args.get("includeAll") == "true"
        if version in (wanted or _VERSIONS) and supported:
            support = "STANDARD_SUPPORT" if today < standard else "EXTENDED_SUPPORT"
            yield {
                "clusterVersion": version,
                "clusterType": "eks",
                "defaultVersion": version == DEFAULT_VERSION,
                "releaseDate": _moment(released),
                "endOfStandardSupportDate": _moment(standard),
                "endOfExtendedSupportDate": _moment(extended),
                "versionStatus": support if today < extended else "UNSUPPORTED",
            }


def _moment(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _json(document: Any, status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")
