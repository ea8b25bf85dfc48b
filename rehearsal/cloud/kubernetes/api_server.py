"""The API servers of the emulated clusters, as far as lists go: over TLS on the loopback, one server for all clusters.

A cluster's endpoint is a path on it, so it is asked for ``ENDPOINT/api/v1/services``. Owns which collections a cluster
serves, their pages, and what the rehearsal's world looks like from inside a cluster: the Service, the EndpointSlice and
the Deployment of each route, and where the controllers' webhooks answer. Beside these a cluster lists the objects that
were stored (`cluster`), and nothing else: neither nodes nor pods, nor what EKS or a chart would bring. Refuses every
request but to list a collection, whole or of a namespace, and to know who asks: a token need only look like one of
`aws eks get-token`.

A cluster that is gone, or whose fault is played that nothing reaches it, drops the connection; one that is played
silent says nothing for as long as it is.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from rehearsal.cloud.eks_documents import CLUSTERS
from rehearsal.cloud.kubernetes import schemas
from rehearsal.cloud.kubernetes.admission import WEBHOOK_SERVICES
from rehearsal.cloud.kubernetes.cluster import API_SERVERS, KINDS, NAMESPACES, SERVICE, Cluster, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

    from werkzeug.serving import BaseWSGIServer

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.store import Store

_BUILT_IN = (
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("v1", "Namespace", "namespaces", namespaced=False),
    Kind("v1", "PersistentVolume", "persistentvolumes", namespaced=False),
    Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    Kind("v1", "Secret", "secrets"),
    Kind("v1", "Service", "services"),
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False),
    Kind("apps/v1", "DaemonSet", "daemonsets"),
    Kind("apps/v1", "Deployment", "deployments"),
    Kind("apps/v1", "StatefulSet", "statefulsets"),
    Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Kind("batch/v1", "CronJob", "cronjobs"),
    Kind("batch/v1", "Job", "jobs"),
    Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
    Kind("storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False),
)
_COLLECTIONS = {
    f"{'apis' if '/' in kind.api_version else 'api'}/{kind.api_version}/{kind.plural}": kind
    for kind in (*_BUILT_IN, *KINDS.values())
}
_NAMESPACED = re.compile(r"/namespaces/([^/]+)/")
_TOKEN = "Bearer k8s-aws-v1."
_PARAMETERS = {"limit", "continue", "fieldSelector"}
_NAMED = "metadata.name="
_NAMES_ONLY = "as=PartialObjectMetadataList"
_LOOK_SECONDS = 0.1


class _Refusal(Exception):  # noqa: N818 - it is an answer of Kubernetes
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class ApiServers:
    """A WSGI application: the API servers of the clusters of a ``store``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or raise ConnectionResetError, upon which the server drops the connection."""
        request = Request(environ)
        name, _, place = request.path[1:].partition("/")
        unique, _, path = place.partition("/")
        eks, cluster = self._store.get(CLUSTERS, name), Cluster(self._store, name)
        while cluster.silent:
            time.sleep(_LOOK_SECONDS)
        if eks is None or not eks["endpoint"].endswith(f"/{name}/{unique}") or cluster.unreachable:
            raise ConnectionResetError
        try:
            document, status = self._list(request, cluster, path), 200
        except _Refusal as refusal:
            status = refusal.status
            about = {"status": "Failure", "reason": refusal.reason, "message": str(refusal), "code": status}
            document = {"apiVersion": "v1", "kind": "Status", "metadata": {}, **about}
        return Response(json.dumps(document), status, content_type="application/json")(environ, start_response)

    def _list(self, request: Request, cluster: Cluster, path: str) -> Props:
        if not request.headers.get("Authorization", "").startswith(_TOKEN):
            raise _Refusal(401, "Unauthorized", "Unauthorized")
        if request.method != "GET":
            raise _Refusal(405, "MethodNotAllowed", "the rehearsal's API servers only list")
        path, namespace = _NAMESPACED.sub("/", path), _NAMESPACED.search(path)
        kind = _COLLECTIONS.get(path)
        if kind is None or not cluster.serves(kind):
            raise _Refusal(404, "NotFound", "the server could not find the requested resource")
        if strange := sorted(request.args.keys() - _PARAMETERS):
            raise _Refusal(400, "BadRequest", f"the rehearsal's API servers know no parameter {', '.join(strange)}")
        limit, after = request.args.get("limit", 0, int), request.args.get("continue", "")
        every = (one for one in self._objects(cluster, kind) if not namespace or _namespace(one) == namespace[1])
        if named := request.args.get("fieldSelector", "").removeprefix(_NAMED):
            every = (one for one in every if one["metadata"]["name"] == named)
        left = sorted((one for one in every if _place(one) > after), key=_place)
        page = left[: limit or None]
        metadata = {"continue": _place(page[-1])} if len(page) < len(left) else {}
        if _NAMES_ONLY in request.headers.get("Accept", ""):
            about = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList"}
            return {**about, "metadata": metadata, "items": [{"metadata": one["metadata"]} for one in page]}
        about = {"apiVersion": kind.api_version, "kind": f"{kind.name}List"}
        return {**about, "metadata": metadata, "items": page}

    def _objects(self, cluster: Cluster, kind: Kind) -> Iterable[Props]:
        made = {
            "CustomResourceDefinition": _definitions,
            "Deployment": self._deployments,
            "EndpointSlice": self._endpoint_slices,
            "Namespace": _namespaces,
            "Service": self._services,
        }
        of_itself = made[kind.name](cluster) if kind.name in made else ()
        return {_place(one): one for one in (*of_itself, *cluster.of(kind))}.values()

    def _world(self, cluster: Cluster) -> Iterator[tuple[str, str, Props]]:
        """Yield namespace, name and document of every Service that the world has in a cluster."""
        for key, told in self._store.all(SERVICE).items():
            eks_name, namespace, name = key.split("|")
            if eks_name == cluster.name:
                yield namespace, name, told

    def _services(self, cluster: Cluster) -> Iterator[Props]:
        references = [
            (binding["metadata"]["namespace"], binding["spec"]["serviceRef"])
            for binding in cluster.all("TargetGroupBinding")
        ]
        for namespace, name, told in self._world(cluster):
            node_port = {"nodePort": told["nodePort"]} if told["nodePort"] else {}
            ports = {
                reference["port"] for place, reference in references if (place, reference["name"]) == (namespace, name)
            }
            yield {
                "metadata": {"namespace": namespace, "name": name},
                "spec": {
                    "type": told["type"],
                    "selector": _labels(name),
                    "ports": [{"protocol": "TCP", "port": port, **node_port} for port in sorted(ports)],
                },
            }

    def _endpoint_slices(self, cluster: Cluster) -> Iterator[Props]:
        for namespace, name, told in self._world(cluster):
            yield {
                "metadata": {
                    "namespace": namespace,
                    "name": f"{name}-rehearsal",
                    "labels": {"kubernetes.io/service-name": name},
                },
                "addressType": "IPv4",
                "ports": [{"protocol": "TCP", "port": port} for port in {end["port"] for end in told["endpoints"]}],
                "endpoints": [
                    {
                        "addresses": [end["address"]],
                        "conditions": {"ready": end["ready"]},
                        "nodeName": end["node"],
                        "zone": end["zone"],
                    }
                    for end in told["endpoints"]
                ],
            }
        for chart, service in WEBHOOK_SERVICES.items():
            if release := cluster.release(chart):
                pods = [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}] if not cluster.down(chart) else None
                yield {
                    "metadata": {
                        "namespace": release["namespace"],
                        "name": f"{service}-rehearsal",
                        "labels": {"kubernetes.io/service-name": service},
                    },
                    "addressType": "IPv4",
                    "ports": [{"protocol": "TCP", "port": 9443}],
                    "endpoints": pods,
                }

    def _deployments(self, cluster: Cluster) -> Iterator[Props]:
        for namespace, name, told in self._world(cluster):
            ready = sum(end["ready"] for end in told["endpoints"])
            yield {
                "metadata": {"namespace": namespace, "name": name},
                "spec": {
                    "replicas": told["replicas"],
                    "selector": {"matchLabels": _labels(name)},
                    "template": {
                        "metadata": {"labels": _labels(name)},
                        "spec": {"containers": [{"name": name, "image": f"rehearsal/{name}"}]},
                    },
                },
                "status": {"replicas": len(told["endpoints"]), "readyReplicas": ready},
            }


class _Handler(WSGIRequestHandler):
    def connection_dropped(self, error: BaseException, environ: WSGIEnvironment | None = None) -> None:  # noqa: ARG002
        self.close_connection = True


def serve(store: Store) -> BaseWSGIServer:
    """Let the API servers answer in threads of this process, say in the store where, and return the server."""
    key, authority = certificate("kubernetes")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "certificate.pem")
        path.write_bytes(key + authority)
        context.load_cert_chain(path)
    server = make_server(
        "127.0.0.1", 0, ApiServers(store), threaded=True, request_handler=_Handler, ssl_context=context
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://127.0.0.1:{server.server_port}"
    store.put(API_SERVERS, "", {"url": url, "authority": base64.b64encode(authority).decode()})
    return server


def certificate(host: str, by: tuple[bytes, bytes] | None = None) -> tuple[bytes, bytes]:
    """Return a key, and a certificate of 127.0.0.1 and ``host``, both as PEM.

    It is its own authority, unless ``by`` are those of another.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName(host)]
    now = datetime.now(UTC)
    signs, issuer = key, name
    if by:
        signs = serialization.load_pem_private_key(by[0], None)
        issuer = x509.load_pem_x509_certificate(by[1]).subject
    assert isinstance(signs, ec.EllipticCurvePrivateKey)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        # From here on what Python 3.13 asks of an authority.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signs.public_key()), critical=False)
        .add_extension(_USAGE, critical=True)
        .sign(signs, hashes.SHA256())
    )
    private = serialization.PrivateFormat.PKCS8
    return (
        key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()),
        made.public_bytes(serialization.Encoding.PEM),
    )


_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _namespaces(cluster: Cluster) -> Iterator[Props]:
    for name in NAMESPACES:
        yield cluster.get("Namespace", "", name) or {}


def _definitions(cluster: Cluster) -> Iterator[Props]:
    for kind in KINDS.values():
        if kind.chart and cluster.serves(kind):
            told = {"openAPIV3Schema": schemas.schema(kind, cluster.level(kind))}
            served = {"name": kind.api_version.rpartition("/")[2], "schema": told}
            yield {"metadata": {"name": kind.resource}, "spec": {"versions": [served]}}


def _labels(name: str) -> dict[str, str]:
    return {"app": name}


def _namespace(one: Any) -> str:
    return one["metadata"].get("namespace", "")


def _place(one: Any) -> str:
    return f"{_namespace(one)}/{one['metadata']['name']}"
