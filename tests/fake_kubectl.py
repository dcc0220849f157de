"""A scripted kubectl. What it answers is in state.json in its folder; what it was asked, in
asked.jsonl there.

As a program it stands first on PATH; `answer` is the same without a process.
"""

import json
import sys
import time
from pathlib import Path

KINDS = {
    "deployments": "Deployment", "jobs": "Job", "pods": "Pod", "services": "Service",
    "secrets": "Secret", "configmaps": "ConfigMap",
    "endpointslices": "EndpointSlice", "namespaces": "Namespace", "nodes": "Node",
    "ingresses": "Ingress", "ingressclasses": "IngressClass", "networkpolicies": "NetworkPolicy",
    "poddisruptionbudgets": "PodDisruptionBudget",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
}  # fmt: skip
CLUSTER_WIDE = ("Namespace", "Node", "IngressClass")


def split_flags(arguments):
    words, flags = [], {}
    for argument in arguments:
        if argument.startswith("--"):
            name, _, value = argument[2:].partition("=")
            flags[name] = value
        else:
            words.append(argument)
    return words, flags


class FailedError(Exception):
    """Its words are kubectl's."""


def answer(folder, arguments, body):
    """What it prints. Raises FailedError, with what it prints to standard error instead."""
    return _Script(folder).answer(*split_flags(arguments), body)


class _Script:
    def __init__(self, folder):
        self.folder = folder
        self.state = json.loads((folder / "state.json").read_text())

    def answer(self, words, flags, body):
        with (self.folder / "asked.jsonl").open("a") as asked:
            asked.write(json.dumps({"words": words, "flags": flags, "body": body or ""}) + "\n")
        verb, *rest = words
        state, context = self.state, flags.get("context")
        if verb == "config":
            contexts = [{"name": name} for name in state["contexts"]]
            return json.dumps({"contexts": contexts, "current-context": state["current"]})
        if context not in state["contexts"]:
            raise FailedError(
                "Error in configuration: context was not found for specified context: "
                + str(context)
            )
        if verb in state.get("hangs", ()):
            time.sleep(60)
        for failing in (verb, f"{verb} {rest[0]}" if rest else verb):
            if failing in state.get("errors", {}):
                raise FailedError(state["errors"][failing])
        return getattr(self, verb)(rest, flags, body)

    def version(self, words, flags, body):
        return json.dumps({"serverVersion": self.state["version"]})

    def logs(self, words, flags, body):
        return self.state["log"]

    def get(self, words, flags, body):
        if "raw" in flags:
            if words[0] not in self.state.get("raw", {}):
                raise FailedError(
                    "Error from server (NotFound): the server could not find the requested resource"
                )
            return self.state["raw"][words[0]]
        found = self._chosen(words, flags)
        if len(words) > 1:
            return json.dumps(found[0]) if found else ""
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": found})

    def create(self, words, flags, body):
        if "raw" in flags:
            first, *others = self.state["greetings"]
            self._save(greetings=[*others, first])
            if first.startswith("Error"):
                raise FailedError(first)
            return first
        thing = json.loads(body)
        if "dry-run" in flags:
            return self._dry_run()
        name = thing["metadata"]["name"]
        labels = {"batch.kubernetes.io/job-name": name}
        pod = {"name": f"{name}-x7k2p", "namespace": "greetlab", "labels": labels}
        made = [thing, *({"metadata": pod} | status for status in self.state["job_pods"])]
        self._save(objects=[*self.state["objects"], *made])
        return f"job.batch/{name}"

    def patch(self, words, flags, body):
        assert flags["dry-run"] == "server", "the doctor never applies"
        return self._dry_run()

    def _dry_run(self):
        if refusal := self.state.get("refusal"):
            raise FailedError(refusal)
        return ""

    def exec(self, words, flags, body):
        return "" if words[-1].endswith("tcp6") else self.state["proc"]

    def delete(self, words, flags, body):
        gone = self._chosen(words, flags)
        names = [t["metadata"]["name"] for t in gone if t["kind"] == "Namespace"]
        self._save(
            objects=[
                thing
                for thing in self.state["objects"]
                if thing not in gone and thing["metadata"].get("namespace") not in names
            ]
        )
        return ""

    def _chosen(self, words, flags):
        kinds = {KINDS[kind.split(".")[0]] for kind in words[0].split(",")}
        name = words[1] if len(words) > 1 else flags.get("field-selector", "=").split("=")[1]
        labels = dict(part.split("=") for part in flags.get("selector", "").split(",") if part)
        return [
            thing
            for thing in self.state["objects"]
            if thing["kind"] in kinds
            and name in ("", thing["metadata"]["name"])
            and labels.items() <= thing["metadata"].get("labels", {}).items()
            and (
                "all-namespaces" in flags
                or thing["kind"] in CLUSTER_WIDE
                or thing["metadata"].get("namespace") == flags.get("namespace")
            )
        ]

    def _save(self, **changed):
        self.state |= changed
        (self.folder / "state.json").write_text(json.dumps(self.state))


if __name__ == "__main__":
    try:
        stdin = sys.stdin.read() if "--filename=-" in sys.argv else ""
        print(answer(Path(__file__).parent, sys.argv[1:], stdin), end="")
    except FailedError as sentence:
        sys.exit(str(sentence))
