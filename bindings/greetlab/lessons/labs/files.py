"""The files that a pod is given: those of Secrets and ConfigMaps that are mounted into it."""

from __future__ import annotations

import base64

from greetlab.clusters.kube.kubectl import Object
from greetlab.clusters.kube.namespace import NAMESPACE
from greetlab.lessons.exercises.exercise import CannotLook
from greetlab.lessons.labs.lab import Wrong
from greetlab.lessons.labs.seen import Seen


def mounted(seen: Seen, deployment: Object, path: str) -> tuple[str, bytes]:
    """What stands behind a path in a Deployment's first container.

    Returns "Secret greetserver-tls" and the file's content.

    Raises Wrong if nothing is mounted there, or what is to be mounted does not exist; CannotLook
    for a volume of another kind.
    """
    pod = deployment["spec"]["template"]["spec"]
    folder, _, name = path.rpartition("/")
    for mount in pod["containers"][0].get("volumeMounts") or ():
        if mount["mountPath"].rstrip("/") == folder and "subPath" not in mount:
            (volume,) = [v for v in pod.get("volumes") or () if v["name"] == mount["name"]]
            return _read(seen, volume, name)
    raise Wrong(f"nothing is mounted where {deployment['metadata']['name']} looks for {path}.")


def _read(seen: Seen, volume: Object, name: str) -> tuple[str, bytes]:
    source = volume.get("secret") or volume.get("configMap") or {}
    if "secret" in volume:
        kind, kinds, where = "Secret", "secrets", source["secretName"]
    elif "configMap" in volume:
        kind, kinds, where = "ConfigMap", "configmaps", source["name"]
    else:
        raise CannotLook(f"the volume {volume['name']} is neither a Secret nor a ConfigMap.")
    keys = {item["path"]: item["key"] for item in source.get("items") or ()} or {name: name}
    there = seen.kubectl.get(kinds, namespace=NAMESPACE, name=where)
    if not there:
        raise Wrong(f"there is no {kind} {where}, of which a pod is to have its files.")
    (thing,) = there
    content = (thing.get("data") or {}).get(keys.get(name, ""))
    if content is None:
        has = ", ".join(thing.get("data") or ())
        raise Wrong(f"the {kind} {where} has no {name}: it has {has or 'nothing'}.")
    return f"{kind} {where}", base64.b64decode(content) if kind == "Secret" else content.encode()
