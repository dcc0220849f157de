"""As much of a Kubernetes API server as kubectl needs in order to do what we ask of it: discovery,
lists and watches, creation, patches, deletion by selectors, a Deployment's scale, a pod's log, and
the proxy to a Service. In memory.

So that the real kubectl says whether it understands our flags. What Kubernetes would make of the
objects, this does not know.
"""

import json
import re
import threading
from contextlib import suppress
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
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


class KubeApi:
    """Serves on a loopback address until its `with` ends.

    objects: what there is. log: every pod's. greet: the answer to a greeting's body.
    controller: called with (what happened, the object), after a client made, patched or deleted
        one: "create", "patch", "delete". It may `put` and `remove`, as Kubernetes' controllers do.
    """

    def __init__(self, objects=(), log="", greet=None, controller=None):
        self.objects, self.log, self.greet = list(objects), log, greet
        self.controller = controller or (lambda what, thing: None)
        self.events = []  # of all kinds, the oldest first: who watches is told
        self.forgotten = 0  # so many of them are not known any more: 410
        self.news = threading.Condition()
        self.closed = False
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

    def put(self, thing):
        """It is so from now on, whether or not there was one."""
        with self.news:
            old = [one for one in self.objects if _key(one) == _key(thing)]
            for one in old:
                self.objects.remove(one)
            self.objects.append(thing)  # in place: a test's own list may do more
            self._tell("MODIFIED" if old else "ADDED", thing)

    def remove(self, thing):
        with self.news:
            self.objects = [one for one in self.objects if _key(one) != _key(thing)]
            self._tell("DELETED", thing)

    def hang_up(self):
        """Ends all watches, as the API server does now and then."""
        with self.news:
            self.generation += 1
            self.news.notify_all()

    generation = 0

    def _tell(self, what, thing):
        self.events.append((what, json.loads(json.dumps(thing))))
        self.news.notify_all()

    def close(self):
        with self.news:
            self.closed = True
            self.news.notify_all()
        self._server.shutdown()
        self._server.server_close()


def _key(thing):
    meta = thing["metadata"]
    return thing["kind"], meta.get("namespace", ""), meta["name"]


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
        elif path.endswith("/scale"):
            self._reply(_scale(*self._chosen(*self._place(path.removesuffix("/scale")), query)))
        elif path.endswith("/log") and self._chosen(*self._place(path), query):
            self._reply(self.api.log, kind="text/plain")
        else:
            self._get(path, query)

    def _get(self, path, query):
        kind, namespace, name = self._place(path)
        if query.get("watch") in ("1", "true"):
            with suppress(ConnectionError):  # who watched has gone
                self._watch((kind, namespace, name, query), int(query["resourceVersion"]))
            return
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
                {
                    "kind": f"{kind}List", "apiVersion": version, "items": found,
                    "metadata": {"resourceVersion": str(len(self.api.events))},
                }
            )  # fmt: skip

    def _watch(self, wanted, version):
        api = self.api
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        generation = api.generation
        while True:
            with api.news:
                while not (api.closed or api.generation != generation):
                    if len(api.events) > version:
                        break
                    api.news.wait()
                else:
                    break
                gone = version < api.forgotten
                events, version = api.events[version:], len(api.events)
            for what, thing in events:
                if gone or self._is_chosen(thing, *wanted):
                    thing["metadata"]["resourceVersion"] = str(version)
                    told = {"type": what, "object": thing}
                    if gone:
                        told = {"type": "ERROR", "object": {"kind": "Status", "code": 410}}
                    line = json.dumps(told).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            if gone:
                break
        self.wfile.write(b"0\r\n\r\n")

    def do_POST(self):
        path, _ = self._split()
        body = self._body()
        if "/proxy/" in path:
            self._reply(self.api.greet(body), kind="text/plain")
            return
        thing = json.loads(body)
        if any(_key(one) == _key(thing) for one in self.api.objects):
            self._status(409, "AlreadyExists", f"{thing['metadata']['name']} already exists")
            return
        self.api.put(thing)
        self.api.controller("create", thing)
        self._reply(thing, 201)

    def do_PATCH(self):
        path, query = self._split()
        patch = json.loads(self._body())
        (thing,) = self._chosen(*self._place(path.removesuffix("/scale")), query)
        _merge(thing, patch)
        self.api.put(thing)
        self.api.controller("patch", thing)
        self._reply(_scale(thing) if path.endswith("/scale") else thing)

    def do_DELETE(self):
        path, query = self._split()
        self._body()
        gone = self._chosen(*self._place(path), query)
        for thing in gone:
            self.api.remove(thing)
            self.api.controller("delete", thing)
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
        return [
            one for one in self.api.objects if self._is_chosen(one, kind, namespace, name, query)
        ]

    def _is_chosen(self, thing, kind, namespace, name, query):
        labels = thing["metadata"].get("labels", {})
        fields = query.get("fieldSelector", "").removeprefix("metadata.name=")
        return (
            thing["kind"] == kind
            and namespace in ("", thing["metadata"].get("namespace", ""))
            and (name or fields) in ("", thing["metadata"]["name"])
            and all(
                labels.get(key) in values.split(",")
                for key, values in _requirements(query.get("labelSelector", ""))
            )
        )

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


def _requirements(selector):
    """(key, values) of "a=b,c in (d,e)"."""
    for key, equal, several in re.findall(r"([\w./-]+)(?:=([\w./-]*)| in \(([^)]*)\))", selector):
        yield key, several or equal


def _merge(thing, patch):
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(thing.get(key), dict):
            _merge(thing[key], value)
        else:
            thing[key] = value


def _scale(deployment):
    replicas = {"replicas": deployment["spec"]["replicas"]}
    return {
        "kind": "Scale", "apiVersion": "autoscaling/v1", "spec": replicas, "status": replicas,
        "metadata": deployment["metadata"],
    }  # fmt: skip


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
        ]
        + [
            {
                "name": "deployments/scale", "singularName": "", "kind": "Scale",
                "group": "autoscaling", "version": "v1", "namespaced": True, "verbs": VERBS,
            }
        ] * (version == "apps/v1"),
    }  # fmt: skip
