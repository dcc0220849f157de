"""Lab 0: a cluster of one's own, with the lab's image in it."""

from __future__ import annotations

import re

from greetlab.clusters.kube.job import own_image
from greetlab.lessons.exercises.exercise import CannotLook
from greetlab.lessons.labs.lab import Lab, Wrong
from greetlab.lessons.labs.seen import Seen

OLDEST = (1, 30)
"""The oldest Kubernetes that the manifests are made for."""
IMAGES_TOLD = 50
"""A node tells of so many images at most (the kubelet's nodeStatusMaxImages)."""


def _version(seen: Seen) -> str:
    told = seen.kubectl.version()
    major, minor = (int(re.match(r"\d+", told[part])[0]) for part in ("major", "minor"))  # type: ignore[index]
    name = told.get("gitVersion", f"v{major}.{minor}")
    if (major, minor) < OLDEST:
        raise Wrong(f"this Kubernetes is {name}, which is older than {OLDEST[0]}.{OLDEST[1]}.")
    return f"context {seen.kubectl.context} leads to a Kubernetes {name}"


def _nodes(seen: Seen) -> str:
    nodes = seen.kubectl.get("nodes")
    ready = [
        node
        for node in nodes
        for condition in node["status"].get("conditions") or ()
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]
    if len(ready) < len(nodes) or not nodes:
        raise Wrong(f"{len(ready)} of {len(nodes)} nodes are Ready.")
    return f"{len(ready)} node{'s' * (len(ready) != 1)} Ready"


def _image(seen: Seen) -> str:
    wanted = own_image()
    for node in seen.kubectl.get("nodes"):
        images = node["status"].get("images") or ()
        names = [name for image in images for name in image.get("names") or ()]
        if any(name == wanted or name.endswith(f"/{wanted}") for name in names):
            continue
        who = node["metadata"]["name"]
        if len(images) >= IMAGES_TOLD:
            raise CannotLook(f"node {who} tells of its {len(images)} largest images only.")
        others = sorted({name.split("/")[-1] for name in names if "/greetlab:" in f"/{name}"})
        but = f", but {', '.join(others)}" if others else ""
        raise Wrong(f"node {who} does not have the image {wanted}{but}.")
    return f"the image {wanted} is on every node"


def _ingress(seen: Seen) -> str:
    classes = seen.kubectl.get("ingressclasses.networking.k8s.io")
    if not classes:
        raise Wrong("no Ingress controller: the cluster has no IngressClass.")
    return f"IngressClass {', '.join(found['metadata']['name'] for found in classes)}"


def _namespace(seen: Seen) -> str:
    return "the namespace greetlab is " + ("the lab's" if seen.namespace else "free")


LAB = Lab(
    number=0,
    name="setup",
    done="the cluster is ready for the labs.",
    steps=(_version, _nodes, _image, _ingress, _namespace),
)
