"""The server process under a load of writes, killed with SIGKILL fifty times at random moments.

Whatever it acknowledged is there after the restart; no revision is given twice or goes back; and a watch that resumes
from the last resourceVersion it saw misses nothing and repeats nothing.
"""

import asyncio
import contextlib
import os
import random
import signal
import sys
from asyncio.subprocess import Process
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from knarr.app import config, host_checks
from knarr.app.config import Cluster
from knarr.client.api import Api
from knarr.client.http import Http
from knarr.client.transport import TransportError
from knarr.kinds.types.core_v1 import ConfigMap
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta.errors import ApiError
from knarr.server.pki import Pki
from knarr.testing.virtual_time import wait_until

pytestmark = pytest.mark.long
CRASHES, WRITERS = 50, 6
LONGEST = 0.4  #: seconds a server lives under load at most


@dataclass
class Ledger:
    """What clients were told."""

    acknowledged: dict[str, tuple[int, str]] = field(default_factory=dict)  #: name -> revision, value
    attempted: dict[str, str] = field(default_factory=dict)  #: the last value sent, acknowledged or not
    revisions: dict[int, tuple[str, str]] = field(default_factory=dict)  #: revision -> what was written with it
    seen: list[tuple[int, str, str]] = field(default_factory=list)  #: by the watch, in order
    last: str = ""  #: resourceVersion the watch resumes from

    def acknowledge(self, config_map: ConfigMap) -> None:
        revision, name = int(config_map.metadata.resourceVersion), config_map.metadata.name
        assert revision not in self.revisions, f"revision {revision} was given twice"
        assert revision > self.acknowledged.get(name, (0, ""))[0], "a revision went back"
        self.revisions[revision] = (name, config_map.data["value"])
        self.acknowledged[name] = (revision, config_map.data["value"])


async def start(cluster: Cluster) -> Process:
    """A server process that answers."""
    reader, writer = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "knarr.app.server", "--data-dir", str(cluster.data_dir), "--ready-fd", str(writer),
        pass_fds=[writer], stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writer)
    said = await asyncio.to_thread(os.read, reader, 1000)
    os.close(reader)
    assert said == b"ready\n", said
    return process


def client(cluster: Cluster) -> Api:
    pki = Pki(cluster.pki)
    return Api(Http(cluster.url, ca=pki.ca, cert=pki.admin.certificate, key=pki.admin.key))


async def write(api: Api, ledger: Ledger, writer: int, crash: int) -> None:
    """Create one object and change it until the server is gone."""
    name = f"w{writer}-{crash}"
    current = ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data={"value": "0"})
    ledger.attempted[name] = "0"
    current = await api.create(current)
    ledger.acknowledge(current)
    for number in range(1, 10_000):
        ledger.attempted[name] = str(number)
        current = await api.patch(ConfigMap, name, "default", {"data": {"value": str(number)}})
        ledger.acknowledge(current)


async def watch(api: Api, ledger: Ledger) -> None:
    async for change in api.watch(ConfigMap, "default", resource_version=ledger.last, labels="!none"):
        found = change.object
        ledger.last = found.metadata.resourceVersion
        if change.type != "BOOKMARK" and found.metadata.name.startswith("w"):
            ledger.seen.append((int(ledger.last), found.metadata.name, found.data["value"]))


async def until_killed(cluster: Cluster, ledger: Ledger, crash: int, rng: random.Random) -> None:
    """One life of the server."""
    process = await start(cluster)
    api = client(cluster)
    if not ledger.last:
        ledger.last = (await api.list(ConfigMap, "default")).resource_version
    tasks = [asyncio.create_task(write(api, ledger, writer, crash)) for writer in range(WRITERS)]
    tasks.append(asyncio.create_task(watch(api, ledger)))
    if crash % 2:  # the other times it may be killed before it has answered anything
        before = len(ledger.revisions)
        await wait_until(lambda: len(ledger.revisions) > before)
    await asyncio.sleep(rng.uniform(0.0, LONGEST))
    process.send_signal(signal.SIGKILL)
    await process.wait()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert result is None or isinstance(result, TransportError | ApiError | ConnectionError), repr(result)
    await api.close()


async def catch_up(api: Api, ledger: Ledger) -> None:
    """Let the watch go on to the end of what there is."""
    end = int((await api.list(ConfigMap, "default")).resource_version)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            async for change in api.watch(ConfigMap, "default", resource_version=ledger.last):
                revision = int(change.object.metadata.resourceVersion)
                if change.type != "BOOKMARK" and change.object.metadata.name.startswith("w"):
                    ledger.seen.append((revision, change.object.metadata.name, change.object.data["value"]))
                if revision >= end or (ledger.seen and ledger.seen[-1][0] >= max(ledger.revisions)):
                    return


async def check(cluster: Cluster, ledger: Ledger) -> None:
    process = await start(cluster)
    api = client(cluster)
    try:
        await catch_up(api, ledger)
        kept = {found.metadata.name: found for found in (await api.list(ConfigMap, "default")).items}
    finally:
        await api.close()
        process.terminate()
        await process.wait()
    for name, (revision, value) in ledger.acknowledged.items():
        found = kept[name].data["value"]
        assert int(found) >= int(value), f"{name}: acknowledged {value} at {revision}, found {found}"
        assert int(found) <= int(ledger.attempted[name])
    order = [revision for revision, _, _ in ledger.seen]
    assert order == sorted(set(order)), "the watch repeated something or went back"
    seen = {revision: (name, value) for revision, name, value in ledger.seen}
    missed = {revision: what for revision, what in ledger.revisions.items() if seen.get(revision) != what}
    assert not missed, f"the watch missed {missed}"


def test_nothing_acknowledged_is_lost_however_often_the_server_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNARR_HOME", str(tmp_path))
    cluster = Cluster(
        name="crash", data_dir=tmp_path / "data", nodes=0, runtime="simulated", port=host_checks.free_port(), index=9
    )
    cluster.run.mkdir(parents=True)
    config.save(cluster)

    async def run() -> Ledger:
        ledger, rng = Ledger(), random.Random(7)
        for crash in range(CRASHES):
            await until_killed(cluster, ledger, crash, rng)
        await check(cluster, ledger)
        return ledger

    ledger = asyncio.run(run())
    assert len(ledger.revisions) >= CRASHES // 2, "the load was too small to say anything"
