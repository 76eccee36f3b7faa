"""Clusters that came and went leave nothing behind in the process; alone in its file, so that no other cluster runs."""

import asyncio
import gc
import threading
from pathlib import Path

from knarr.kinds.types.core_v1 import Pod
from knarr.testing import Cluster
from knarr.testing.serving import pki

A_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}
CLUSTERS = 20


def held():
    """Threads, open descriptors, tasks and files."""
    gc.collect()
    tasks = sum(isinstance(each, asyncio.Task) for each in gc.get_objects())
    files = sorted(path.name for path in Path(pki().folder.parent).rglob("*"))
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir())), tasks, files


async def count_pods(cluster):
    return len((await cluster.api.list(Pod)).items)


def use(virtual_time):
    with Cluster(virtual_time=virtual_time) as cluster:
        cluster.apply(A_MAP)
        assert cluster.kubeconfig.exists()
        assert cluster.run(count_pods) == 0


def test_clusters_leave_no_task_thread_descriptor_or_file_behind():
    use(False)
    use(True)
    before = held()
    for number in range(CLUSTERS):
        use(virtual_time=number % 2 == 1)
    assert held() == before
