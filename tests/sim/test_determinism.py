"""The same seed tells the same story, whatever else differs between two runs."""

import hashlib
import os
import subprocess
import sys

from knarr.controllers import endpoint_slice, endpoints, garbage_collector, root_ca, serviceaccount, statefulset
from knarr.scheduler import scheduler
from knarr.testing.builders import a_service, a_set
from knarr.testing.cluster import Cluster
from knarr.testing.virtual_time import run


def fingerprint(seed):
    """A hash of every object there is after a story, and how often the store was written."""

    async def main():
        controllers = [
            endpoints.CONTROLLER,
            endpoint_slice.controller(),
            garbage_collector.controller(),
            root_ca.controller("PEM"),
            serviceaccount.CONTROLLER,
            statefulset.controller(),
        ]
        async with Cluster(controllers, nodes=3, services=[scheduler.run]) as cluster:
            await cluster.apply(a_service("db", headless=True), a_set("db", replicas=4))
            await cluster.settled()
            await cluster.stop_node("node-1")
            await cluster.apply(a_set("db", replicas=2, image="img:2"))
            await cluster.settled()
            _, records = await cluster.store.range("/")
            digest = hashlib.sha256(b"\n".join(record.value for record in records)).hexdigest()
            return f"{len(records)} objects, {cluster.store.revision} writes, {digest}"

    return run(main(), seed=seed)


def told(seed, hashing):
    """The fingerprint from a process of its own, with its own order of sets."""
    code = f"import runpy; print(runpy.run_path({__file__!r})['fingerprint']({seed}))"
    environment = {**os.environ, "PYTHONHASHSEED": str(hashing)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    return done.stdout.strip()


def test_the_same_seed_tells_the_same_story_in_every_process():
    assert told(seed=1, hashing=1) == told(seed=1, hashing=2)


def test_another_seed_tells_another():
    assert fingerprint(1) != fingerprint(2)
