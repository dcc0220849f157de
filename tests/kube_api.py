"""As much of a Kubernetes API server as kubectl needs in order to do what we ask of it: discovery,
lists, creation, deletion by selectors, a pod's log, and the proxy to a Service. In memory.

So that the real kubectl says whether it understands our flags. What Kubernetes would make of the
objects, this does not know.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

GROUPS = {
    "v1": {"pods": "Pod", "services": "Service", "namespaces": "Namespace", "nodes": "Node"},
    "apps/v1": {"deployments": "Deployment"},
    "batch/v1": {"jobs": "Job"},
    "discovery.k8s.io/v1": {"endpointslices": "EndpointSlice"},
    "networking.k8s.io/v1": {
        "ingresses": "Ingress", "ingressclasses": "IngressClass",
        "networkpolicies": "NetworkPolicy",
    },
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
}  # fmt: skip
CLUSTER_WIDE = ("namespaces", "nodes", "ingressclasses")
VERBS = ["create", "delete", "deletecollection", "get", "list", "watch"]


class KubeApi:
    """Serves on a loopback address until its `with` ends.

    objects: what there is. log: every pod's. greet: the answer to a greeting's body.
    """

    def __init__(self, objects=(), log="", greet=None):
        self.objects, self.log, self.greet = list(objects), log, greet
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def kubeconfig(path, server, context="lab"):
    """Writes a kubeconfig with one context, and says where it is."""
    named = {"name": context}
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "",
        "clusters": [named | {"cluster": {"server": server}}],
        "users": [named | {"user": {}}],
        "contexts": [named | {"context": {"cluster": context, "user": context}}],
    }  # fmt: skip
    path.write_text(json.dumps(config))
    return str(path)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        path, query = self._split()
        if path == "/version":
            self._reply({"major": "1", "minor": "31", "gitVersion": "v1.31.0"})
        elif path == "/api":
            self._reply({"kind": "APIVersions", "versions": ["v1"]})
        elif path == "/apis":
            self._reply({"kind": "APIGroupList", "apiVersion": "v1", "groups": list(_groups())})
        elif (version := path.removeprefix("/apis/").removeprefix("/api/")) in GROUPS:
            self._reply(_resources(version))
        elif "/v1/" not in path:
            self._status(404, "NotFound", "the server could not find the requested resource")
        elif path.endswith("/log") and self._chosen(*self._place(path), query):
            self._reply(self.api.log, kind="text/plain")
        else:
            self._get(path, query)

    def _get(self, path, query):
        kind, namespace, name = self._place(path)
        version = next(version for version, kinds in GROUPS.items() if kind in kinds.values())
        found = [
            {"apiVersion": version} | thing for thing in self._chosen(kind, namespace, name, query)
        ]
        if name and not found:
            self._status(404, "NotFound", f'{kind.lower()}s "{name}" not found')
        elif name:
            self._reply(found[0])
        else:
            self._reply(
                {"kind": f"{kind}List", "apiVersion": version, "metadata": {}, "items": found}
            )

    def do_POST(self):
        path, _ = self._split()
        body = self._body()
        if "/proxy/" in path:
            self._reply(self.api.greet(body), kind="text/plain")
            return
        thing = json.loads(body)
        self.api.objects.append(thing)
        self._reply(thing, 201)

    def do_DELETE(self):
        path, query = self._split()
        self._body()
        gone = self._chosen(*self._place(path), query)
        for thing in gone:
            self.api.objects.remove(thing)
        if gone:
            self._reply({"kind": "Status", "apiVersion": "v1", "status": "Success"})
        else:
            self._status(404, "NotFound", "not found")

    # Inside.

    def _split(self):
        parts = urlsplit(self.path)
        return parts.path, {key: value[0] for key, value in parse_qs(parts.query).items()}

    def _place(self, path):
        """Kind, namespace and name of a path."""
        words = path.strip("/").split("/")
        length = 2 if words[0] == "api" else 3
        version, rest = "/".join(words[1:length]), words[length:]
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        return GROUPS[version][rest[0]], namespace, rest[1] if len(rest) > 1 else ""

    def _chosen(self, kind, namespace, name, query):
        labels = dict(part.split("=") for part in query.get("labelSelector", "").split(",") if part)
        fields = query.get("fieldSelector", "").removeprefix("metadata.name=")
        return [
            thing
            for thing in self.api.objects
            if thing["kind"] == kind
            and namespace in ("", thing["metadata"].get("namespace"))
            and (name or fields) in ("", thing["metadata"]["name"])
            and labels.items() <= thing["metadata"].get("labels", {}).items()
        ]

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while length := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _status(self, code, reason, message):
        self._reply(
            {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "reason": reason, "code": code,
            }, code,
        )  # fmt: skip

    def _reply(self, answer, code=200, kind="application/json"):
        data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _groups():
    for version in GROUPS:
        group, _, number = version.rpartition("/")
        if group:
            told = {"groupVersion": version, "version": number}
            yield {"name": group, "versions": [told], "preferredVersion": told}


def _resources(version):
    return {
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
        "resources": [
            {
                "name": name, "singularName": kind.lower(), "kind": kind, "verbs": VERBS,
                "namespaced": name not in CLUSTER_WIDE,
            }
            for name, kind in GROUPS[version].items()
        ],
    }  # fmt: skip
