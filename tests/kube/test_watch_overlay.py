"""k8s/overlays/watch on a real Kubernetes: a gateway that asks the API as its own account.

See test_cluster.py.
"""

import os
import time
from collections import Counter

import pytest

import greetlab as gl
from greetlab.clusters.kube import manifests, namespace
from greetlab.clusters.kube.job import own_image
from greetlab.lessons.labs.seen import pod_of

CONTEXT = os.environ.get("GREETLAB_CONTEXT", "")
NAMESPACE = "greetlab-test-watch"
SERVER, GATEWAY = "greetserver", "greetgateway"
GREET = f"/api/v1/namespaces/{NAMESPACE}/services/{GATEWAY}:http/proxy/greet"
BODY = '{"first_name": "Ada", "last_name": "Lovelace"}'

pytestmark = [
    pytest.mark.skipif(
        not CONTEXT, reason="no Kubernetes is named: GREETLAB_CONTEXT=... runs this"
    ),
    pytest.mark.timeout(300),  # at the cluster's pace
]


@pytest.fixture(scope="module")
def kubectl():
    kubectl = gl.kube.Kubectl(CONTEXT)
    assert not namespace.is_there(kubectl, NAMESPACE)
    image = os.environ.get("GREETLAB_IMAGE") or own_image()
    try:
        manifests.create(kubectl, "overlays/watch", namespace=NAMESPACE, image=image)
        for deployment in (SERVER, GATEWAY):
            assert kubectl.wait_rollout(deployment, NAMESPACE, 120)
        yield kubectl
    finally:
        namespace.delete(kubectl, NAMESPACE)


def answered(kubectl, n):
    return Counter(pod_of(kubectl.post(GREET, BODY)) for _ in range(n))


def listed(kubectl):
    slices = kubectl.get(
        "endpointslices.discovery.k8s.io",
        selector=f"kubernetes.io/service-name={SERVER}-headless",
        namespace=NAMESPACE,
    )
    return {
        endpoint["targetRef"]["name"]
        for one in slices
        for endpoint in one.get("endpoints") or ()
        if endpoint["conditions"]["ready"]
    }


def test_the_gateway_calls_who_is_there_with_an_account_that_may_list_and_watch(kubectl):
    for pods in (3, 5, 2):
        kubectl.scale(SERVER, pods, NAMESPACE)
        end = time.monotonic() + 60
        while len(there := listed(kubectl)) != pods:
            assert time.monotonic() < end
            time.sleep(0.1)
        # It was told while kubectl started to ask.
        assert answered(kubectl, 4 * pods) == dict.fromkeys(there, 4)
    (pod,) = kubectl.get("pods", selector=f"app.kubernetes.io/name={GATEWAY}", namespace=NAMESPACE)
    (container,) = pod["status"]["containerStatuses"]
    assert container["restartCount"] == 0
