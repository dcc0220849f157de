"""A local cluster, from nothing until every pod serves."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer

import greetlab as gl


def main(pods: Annotated[int, typer.Option()]) -> None:
    """Brings a cluster up and down; prints how long the way up took as JSON.

    It is up when each pod has answered a call; that call is not part of the time.
    """
    start = time.perf_counter()
    with gl.Cluster.local(pods) as cluster:
        seconds = time.perf_counter() - start
        with cluster.channel("greetserver-headless", policy="round_robin") as channel:
            answered = channel.wait_ready(all=True).greet(times=pods).by_pod
        if set(answered) != {pod.name for pod in cluster.pods} or len(answered) != pods:
            raise SystemExit(f"of {pods} pods {len(answered)} answer")
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    typer.run(main)
