"""A policy of the learner's own, in Python: in both worlds, on the bench, and when it is wrong."""

import threading

import pytest

import greetlab as gl
from greetlab import _core
from greetlab.channels.policies import policy_config


class Fewest(gl.Policy):
    """The one with the fewest calls in flight; of those, the first."""

    def pick(self, ready, call):
        return min(ready, key=lambda one: one.in_flight)


class Last(gl.Policy):
    """The last of the list, and it remembers."""

    def __init__(self):
        self.seen = []

    def pick(self, ready, call):
        self.seen.append((call, [one.address for one in ready]))
        return ready[-1]


@pytest.fixture(params=["sim", "local"])
def cluster(request):
    with getattr(gl.Cluster, request.param)(pods=3, seed=5) as cluster:
        yield cluster


def calls_of(cluster, policy, times=6, **options):
    channel = cluster.channel("greetserver-headless", policy=policy)
    channel.wait_ready(all=True)
    return channel.greet(times=times, **options)


def test_it_decides_who_answers(cluster):
    with cluster.channel("greetserver-headless", policy=Last) as channel:
        channel.wait_ready(all=True)
        calls = channel.greet(times=6)
        assert calls.ok == 6
        assert len(calls.by_pod) == 1
        assert channel.title.endswith(", Last")
        assert channel.trace.last("PickerPublished").picker == "Last"


def test_it_sees_what_is_in_flight(cluster):
    cluster.slow("pod-1", 0.05)
    with cluster.channel("greetserver-headless", policy=Fewest) as channel:
        calls = channel.wait_ready(all=True).load(120, 6)
        assert calls.ok == 120
        assert calls.by_pod.get("pod-1", 0) < 30


def test_it_may_let_a_call_wait_for_another_picker():
    class Patient(gl.Policy):
        def pick(self, ready, call):
            return ready[0] if len(ready) == 3 else None

    cluster = gl.Cluster.sim(pods=3, seed=5, start_interval=2)
    cluster.wait_ready(pods=1)
    channel = cluster.channel("greetserver-headless", policy=Patient, cooldown=1.0)
    channel.wait_ready()
    load = channel.start(1, timeout=30)
    channel.wait_ready(pods=3)
    cluster.run(seconds=1)
    assert channel.calls(load).ok == 1


class Raises(gl.Policy):
    def pick(self, ready, call):
        raise RuntimeError("no idea")


class Nonsense(gl.Policy):
    def pick(self, ready, call):
        return "pod-1"


class Stale(gl.Policy):
    kept = None

    def pick(self, ready, call):
        Stale.kept = Stale.kept or ready[0]
        return Stale.kept


class CannotBegin(gl.Policy):
    def __init__(self):
        raise ValueError("not today")


class Unsayable(gl.Policy):
    class Error(Exception):
        def __str__(self):
            raise RuntimeError

    def pick(self, ready, call):
        raise self.Error


@pytest.mark.parametrize("wait_for_ready", [False, True])
@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Raises, "Raises.pick raised RuntimeError: no idea"),
        (Nonsense, "Nonsense.pick returned 'pod-1': it is to return one of `ready`, or None"),
        (gl.Policy, "NotImplementedError: Policy has no pick(self, ready, call)"),
        (Unsayable, "Unsayable.pick raised Error"),
    ],
)
def test_one_that_is_wrong_fails_its_call_with_a_sentence(cluster, policy, said, wait_for_ready):
    calls = calls_of(cluster, policy, times=2, wait_for_ready=wait_for_ready)
    assert calls.by_status == {"INTERNAL": 2}
    assert all(said in error for error in calls.errors)


def test_one_that_cannot_begin_fails_the_calls(cluster):
    channel = cluster.channel("greetserver-headless", policy=CannotBegin)
    calls = channel.greet(times=2)
    assert calls.ok == 0
    assert "CannotBegin() raised ValueError: not today" in str(calls.errors)


def test_a_choice_of_an_earlier_list_is_refused():
    cluster = gl.Cluster.sim(pods=2, seed=1)
    Stale.kept = None
    channel = cluster.channel("greetserver-headless", policy=Stale, cooldown=1.0)
    assert channel.wait_ready(all=True).greet().ok == 1
    cluster.scale(3)
    channel.wait_ready(pods=3)
    (error,) = channel.greet().errors
    assert "of an earlier list: it may be gone by now" in error


class Kept(gl.Policy):
    """Chooses what the first of its many pickers offered."""

    def pick(self, ready, call):
        self.first = getattr(self, "first", ready[-1])
        return self.first


def test_no_later_picker_takes_it_for_its_own():
    """However many pickers there were, one of which may lie in memory where the first one lay."""
    cluster = gl.Cluster.sim(pods=2, seed=1)
    channel = cluster.channel("greetserver-headless", policy=Kept, cooldown=0.001)
    assert channel.wait_ready(all=True).greet().ok == 1
    for _ in range(50):
        cluster.kill("pod-1")
        cluster.run(0.1)
        cluster.restart("pod-1")
        channel.wait_ready(all=True)
        assert channel.greet().by_status == {"INTERNAL": 1}


def test_an_instance_is_no_policy():
    with pytest.raises(TypeError, match="the class, and not an instance"):
        gl.Cluster.sim(pods=1, seed=1).channel("greetserver", policy=Last())


def test_the_same_seed_and_the_same_policy_give_the_same_story():
    def story():
        cluster = gl.Cluster.sim(pods=3, seed=9)
        channel = cluster.channel("greetserver-headless", policy=Fewest)
        channel.load(50, 5)
        cluster.kill("pod-2")
        channel.load(50, 5)
        return cluster

    one = story()
    assert one.trace.story() == story().trace.story()
    assert one.fork().trace.story() == one.trace.story()


def test_it_can_be_put_on_the_bench():
    bench = _core.PolicyBench(policy_config(Last), seed=1)
    bench.update(["a", "b"])
    bench.ready("a")
    assert bench.picks(2) == ["a", "a"]
    bench.ready("b")
    assert bench.picks(2) == ["b", "b"]


def test_several_threads_may_call_at_once():
    with gl.Cluster.local(pods=3) as cluster:
        with cluster.channel("greetserver-headless", policy=Fewest) as channel:
            channel.wait_ready(all=True)
            done = []
            threads = [
                threading.Thread(target=lambda: done.append(channel.greet(times=50).ok))
                for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            states = [channel.state for _ in range(50)]  # while picks happen
            for thread in threads:
                thread.join()
        assert done == [50] * 8
        assert set(states) == {"READY"}


def test_one_of_your_own_is_the_same_as_no_other():
    """Nobody can tell what it does: a new service config with it is another one."""

    class Mine(gl.Policy):
        def pick(self, ready, call):
            return ready[0]

    mine = _core.python_policy(Mine, "round_robin")
    assert mine != _core.PolicyConfig("round_robin")
    assert _core.PolicyConfig("round_robin") != mine
    assert mine != _core.python_policy(Mine, "round_robin")
