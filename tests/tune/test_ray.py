"""The Ray executor, on a cluster of two nodes on this machine: an actor and then a node are killed with work under way."""

from __future__ import annotations

import os
import sys

import pytest

import slalom
from slalom.core.errors import MissingExtraError
from slalom.tune.events import Note, RungDone
from tests.tune.test_executors import GIVEN, facts

CLUSTER = "SLALOM_CLUSTER"  # it takes half a minute of two cores and a gigabyte: asked for by name


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"slalom\[ray\]"):
        slalom.tune(**GIVEN, executor="ray")


@pytest.mark.skipif(CLUSTER not in os.environ, reason=f"starts a Ray cluster of two nodes, 20 s or more: set {CLUSTER}=1")
@pytest.mark.filterwarnings("ignore")
def test_a_killed_actor_and_a_killed_node_lose_nothing(monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.cluster_utils import Cluster

    from slalom.tune.executors.ray import Ray

    given = {**GIVEN, "budget": 18}
    local = facts(slalom.tune(**given))
    memory = 80 * 2**20
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": memory},
    )
    second = cluster.add_node(num_cpus=1, object_store_memory=memory)
    events, killed, submit = [], [], Ray.submit

    def and_kill(self, job):
        submit(self, job)
        if not killed and self.busy and any(isinstance(e, RungDone) for e in events):
            actor, _ = next(iter(self.busy.values()))
            ray.kill(actor)
            killed.append(actor)

    def watch(event):
        events.append(event)
        if sum(isinstance(e, RungDone) for e in events) == 3 and isinstance(event, RungDone):
            cluster.remove_node(second)

    monkeypatch.setattr(Ray, "submit", and_kill)
    try:
        path = os.pathsep.join(p for p in (os.getcwd(), os.environ.get("PYTHONPATH")) if p)
        ray.init(address=cluster.address, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": path}})
        found = slalom.tune(**given, executor="ray", workers=2, on_event=watch)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert killed
    assert any("a worker died" in e.text for e in events if isinstance(e, Note))
    assert facts(found) == local
    told = [(e.batch, e.rung) for e in events if isinstance(e, RungDone)]
    assert len(told) == len(set(told)) == 10  # of 6, 3, 6 and 3 trials: three rungs and two by turns
