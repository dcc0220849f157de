"""Draws docs/lanes.png, the figure that the lab is about: .venv/bin/python docs/lanes.py"""

from pathlib import Path

import greetlab as gl


def main() -> None:
    """The same 36 requests through either service of the same virtual cluster."""
    traces = []
    for service, policy in (("greetserver", "pick_first"), ("greetserver-headless", "round_robin")):
        cluster = gl.Cluster.sim(pods=3, seed=3, latency=0.0004, dns_round_trip=0.002)
        client = cluster.channel(service, policy=policy)
        client.greet("Ada", times=36)
        traces.append(client.trace)
    picture = gl.plot.lanes(
        *traces,
        titles=("ClusterIP, pick_first", "headless, round_robin"),
        title="Requests stay on their connections",
    )
    Path(__file__).with_name("lanes.png").write_bytes(picture.png())
    print(picture.alt)


if __name__ == "__main__":
    main()
