"""The manifests of k8s/, which came with the package, made in a cluster."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from greetlab.clusters.kube.kubectl import Kubectl

WORLD = "overlays/world"
"""Both Services, and servers that can be hurt, in a namespace of their own."""
CLIENT = "client"
"""A pod with a client to speak to."""


def create(kubectl: Kubectl, what: str, *, namespace: str, image: str, **transformed: Any) -> None:
    """Makes what a folder of k8s/ has, in this namespace and with this image.

    transformed: more fields of the kustomization that stands before it, such as `nameSuffix`.

    Raises KubectlError if it cannot be made, or is there already.
    """
    with tempfile.TemporaryDirectory(prefix="greetlab-") as folder:
        name, _, tag = image.rpartition(":")
        kustomization: Mapping[str, Any] = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(_folder() / what, Path(folder).resolve())],
            "namespace": namespace,
            "images": [{"name": "greetlab", "newName": name, "newTag": tag}],
            **transformed,
        }
        # JSON is YAML.
        (Path(folder) / "kustomization.yaml").write_text(json.dumps(kustomization))
        kubectl.create_kustomized(folder)


def _folder() -> Path:
    return Path(str(files("greetlab"))).resolve() / "_k8s"
