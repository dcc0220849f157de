"""The one place that runs kubectl: in a context that was named, with timeouts and errors in words.

kubectl, and no client library, because it is what the learner has: with the same kubeconfig, the
same credentials and the same words on failure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]
"""A Kubernetes object, as `-o json` prints it."""

CONTEXT_VARIABLE = "GREETLAB_CONTEXT"
REQUEST_TIMEOUT = 10.0
"""Seconds that the API server may take for an answer."""
_SLACK = 10.0
"""Seconds that kubectl may take beside: to start, to log in, to give up."""
_SERVER_ERROR = re.compile(
    r"(?:error: )?error from server \((\w+)\): (.*)", re.DOTALL | re.IGNORECASE
)


class KubectlError(RuntimeError):
    """kubectl could not do it; the words say what was tried, where, and why it failed.

    reason: the API server's, such as "Forbidden" or "ServiceUnavailable"; "" if it is not its.
    detail: what it said, alone.
    """

    def __init__(self, message: str, reason: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.detail = detail or message


class ContextNotNamedError(ValueError):
    """Nobody named a cluster, and the current one may be anything."""


class Kubectl:
    """kubectl on one cluster.

    context: its name in the kubeconfig. The current context is never taken by itself: what it
        points to is often not what one thinks.

    `namespace` is the context's own, which kubectl takes where none is named.

    Raises ContextNotNamedError without a context, with those that there are, and KubectlError if
    there is no kubectl, or no such context.
    """

    def __init__(self, context: str | None) -> None:
        found = shutil.which("kubectl")
        if found is None:
            raise KubectlError("kubectl is not on PATH: install it, or name its folder in PATH")
        self._program = found
        self.context = context or os.environ.get(CONTEXT_VARIABLE, "")
        config = json.loads(self._run("read the kubeconfig", ["config", "view", "--output=json"]))
        names = [entry["name"] for entry in config.get("contexts") or ()]
        current = config.get("current-context", "")
        there = ", ".join(f"{name} (current)" if name == current else name for name in names)
        if not self.context:
            raise ContextNotNamedError(
                "which cluster? Name its context with --context or in the environment's "
                f"{CONTEXT_VARIABLE}; the current one is not taken by itself. "
                f"The kubeconfig has {there or 'none'}"
            )
        if self.context not in names:
            raise KubectlError(
                f"no context {self.context!r} in the kubeconfig: it has {there or 'none'}"
            )
        (mine,) = (entry for entry in config["contexts"] if entry["name"] == self.context)
        self.namespace = (mine.get("context") or {}).get("namespace") or "default"

    # What is there.

    def version(self) -> Object:
        """The API server's version, as `kubectl version` has it."""
        told = json.loads(self._ask("ask for the version", ["version", "--output=json"]))
        version: Object = told["serverVersion"]
        return version

    def get(
        self,
        *kinds: str,
        name: str = "",
        selector: str = "",
        namespace: str = "",
        everywhere: bool = False,
    ) -> list[Object]:
        """The objects of these kinds; none is no error.

        name: only the one of this name. selector: a label selector.
        namespace: where; without it, kinds that have none, or `everywhere`, all namespaces.
        """
        arguments = ["get", ",".join(kinds), "--output=json", "--ignore-not-found"]
        arguments += [name] if name else []
        arguments += [f"--selector={selector}"] if selector else []
        arguments += [f"--namespace={namespace}"] if namespace else []
        arguments += ["--all-namespaces"] if everywhere else []
        told = self._ask(f"get {', '.join(kinds)}", arguments)
        if not told.strip():
            return []
        answer = json.loads(told)
        items: list[Object] = answer.get("items", [answer])
        return items

    def get_raw(self, path: str) -> str:
        """What the API server has at a path."""
        return self._ask(f"get {path.split('?')[0]}", ["get", "--raw", path])

    def logs(self, pod: str, namespace: str) -> str:
        """What a pod's container printed: standard output and standard error, line by line."""
        arguments = ["logs", pod, f"--namespace={namespace}"]
        return self._ask(f"read the log of pod {pod}", arguments, timeout=60)

    def post(self, path: str, body: str) -> str:
        """Posts to a path of the API server, and returns what came back.

        `kubectl create --raw` sends no Content-Type and "Accept: application/json, */*". A body
        from standard input cannot be sent twice, so an error with Retry-After comes back at once.
        """
        return self._ask(f"post to {path}", ["create", "--raw", path, "--filename=-"], stdin=body)

    # What changes something.

    def create(self, thing: Object) -> None:
        """Makes an object."""
        what = f"create {thing['kind']} {thing['metadata']['name']}"
        # The server validates; kubectl would first download all of its OpenAPI to do the same.
        arguments = ["create", "--filename=-", "--validate=false", "--output=name"]
        self._ask(what, arguments, stdin=json.dumps(thing))

    def delete(self, kind: str, arguments: Sequence[str], *, wait: float = 0) -> None:
        """Deletes what the arguments choose; what is gone already is no error.

        wait: seconds until it must be gone; 0 = does not wait.
        """
        waiting = ["--wait=true", f"--timeout={wait:.0f}s"] if wait else ["--wait=false"]
        command = ["delete", kind, *arguments, "--ignore-not-found", *waiting]
        self._ask(f"delete {kind}", command, timeout=max(wait, REQUEST_TIMEOUT))

    def create_kustomized(self, folder: str) -> None:
        """Makes all that a kustomization has. Raises KubectlError if anything of it is there."""
        arguments = ["create", f"--kustomize={folder}", "--validate=false", "--output=name"]
        self._ask("create what the lab needs", arguments, timeout=60)

    def scale(self, deployment: str, replicas: int, namespace: str) -> None:
        """Says how many pods a Deployment shall have."""
        arguments = ["scale", f"deployment/{deployment}", f"--replicas={replicas}"]
        self._ask(f"scale {deployment} to {replicas}", [*arguments, f"--namespace={namespace}"])

    def patch(self, thing: str, patch: Object, namespace: str) -> None:
        """Changes fields of an object ("deployment/greetserver"): a strategic merge."""
        arguments = ["patch", thing, f"--patch={json.dumps(patch)}", f"--namespace={namespace}"]
        self._ask(f"patch {thing}", arguments)

    def wait_rollout(self, deployment: str, namespace: str, timeout: float) -> bool:
        """Waits until a Deployment's pods are all of its newest template, and ready.

        Returns False if it takes longer than `timeout` seconds.
        """
        arguments = ["rollout", "status", f"deployment/{deployment}", f"--timeout={timeout:.3f}s"]
        try:
            self._ask(
                f"wait for the rollout of {deployment}",
                [*arguments, f"--namespace={namespace}"],
                timeout=timeout + REQUEST_TIMEOUT,
            )
        except KubectlError as error:
            if "timed out" in error.detail:
                return False
            raise
        return True

    # What would change something, and does not: the server validates it (--dry-run=server).

    def try_create(self, thing: Object) -> None:
        """Raises KubectlError if the server would not make this object."""
        what = f"try to create {thing['kind']} {thing['metadata']['name']}"
        arguments = ["create", "--filename=-", "--dry-run=server", "--output=name"]
        self._ask(what, arguments, stdin=json.dumps(thing))

    def try_patch(self, thing: str, patch: str, namespace: str, kind: str = "strategic") -> None:
        """Raises KubectlError if the server would not change this object so.

        patch: JSON. kind: "strategic" or "json" (RFC 6902).
        """
        arguments = ["patch", thing, f"--type={kind}", f"--patch={patch}"]
        arguments += [f"--namespace={namespace}", "--dry-run=server", "--output=name"]
        self._ask(f"try to patch {thing}", arguments)

    # In a pod.

    def execute(self, pod: str, namespace: str, *command: str) -> str:
        """Runs a program of a pod's image there, and returns what it printed."""
        arguments = ["exec", pod, f"--namespace={namespace}", "--", *command]
        return self._ask(f"run {command[0]} in pod {pod}", arguments)

    def exec_command(self, pod: str, namespace: str, *command: str) -> list[str]:
        """The command line that runs a program there, with our standard input and output."""
        return self.command("exec", "--stdin", pod, f"--namespace={namespace}", "--", *command)

    def command(self, *arguments: str) -> list[str]:
        """The command line of a kubectl that goes on for as long as it takes."""
        return [self._program, f"--context={self.context}", *arguments]

    # Inside.

    def _ask(
        self,
        what: str,
        arguments: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = REQUEST_TIMEOUT,
    ) -> str:
        """Runs it on the cluster."""
        flags = [f"--context={self.context}", f"--request-timeout={timeout:.0f}s"]
        return self._run(
            f"{what} in context {self.context}", [*flags, *arguments], stdin, timeout + _SLACK
        )

    def _run(
        self,
        what: str,
        arguments: Sequence[str],
        stdin: str | None = None,
        timeout: float = REQUEST_TIMEOUT + _SLACK,
    ) -> str:
        command = [self._program, *arguments]
        try:
            done = _execute(command, stdin, timeout)
        except subprocess.TimeoutExpired as error:
            raise KubectlError(f"{what}: kubectl gave no answer within {timeout:.0f} s") from error
        except OSError as error:
            raise KubectlError(f"{what}: run {self._program}: {error.strerror}") from error
        if done.returncode == 0:
            return done.stdout
        said = _sentence(done.stderr) or f"kubectl ended with exit status {done.returncode}"
        server = _SERVER_ERROR.match(said)
        reason, detail = server.groups() if server else ("", said)
        raise KubectlError(f"{what}: {said}", reason, detail.strip())


def _execute(
    command: list[str], stdin: str | None, timeout: float
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        input="" if stdin is None else stdin,  # it never waits for somebody's typing
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        # Ctrl-C in the terminal is for Python, which then cleans up with kubectl.
        start_new_session=True,
    )


def _sentence(stderr: str) -> str:
    """What kubectl said last: its error, or else its last line. Its log comes before that."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [n for n, line in enumerate(lines) if line.lower().startswith("error")]
    return " ".join(lines[errors[-1] :] if errors else lines[-1:])
