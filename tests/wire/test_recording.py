"""knarr answers as upstream did, request by request: see `recording/README.md`.

The server is one process without the socket, on virtual time, with the controllers that the recorded cluster ran.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from knarr.app import bootstrap, bootstrap_roles
from knarr.app import config as app
from knarr.client.transport import Request, User
from knarr.controllers import clusterrole_aggregation, namespace, root_ca, serviceaccount
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.meta import clock
from knarr.testing.cluster import Cluster
from knarr.testing.virtual_time import VirtualClock, VirtualLoop, wait_until
from tests.wire.recording.replay import Answer, Case, cases

CA = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
ADMIN = User(name="admin", uid="1", groups=("system:masters", "system:authenticated"))

CLIENTS_FAULT = "what a client did wrong is answered 400: docs/decisions/client-errors-are-400.md"
OLD_VERSIONS = "knarr also serves versions that upstream has removed: docs/decisions/old-versions.md"

GENERATIONS = "since 1.37, autoscalers count their generations"

#: id of a case: (why knarr answers otherwise, how each difference begins)
KNOWN: dict[str, tuple[str, list[str]]] = {
    **{
        id_: (
            CLIENTS_FAULT,
            [
                f"step {step} .body.code: want 500, got 400",
                f'step {step} .body.reason: got "BadRequest"',
                f"step {step} .code: want 500, got 400",
            ],
        )
        for id_, step in {
            'update pod metadata.resourceVersion = "x"': 1,
            "list watch=true&timeoutSeconds=1&resourceVersion=abc": 1,
            'patch deployment strategic-merge-patch {"spec": {"template": {"spec": {"containers": [{"image": "no': 1,
            "apply unknown field": 0,
            "binding": 3,
        }.items()
    },
    **{
        id_: (GENERATIONS, [f"step {step} .body.metadata.generation: got 1" for step in steps])
        for id_, steps in {"life hpa": (0, 2, 3), "life hpa-v1": (0, 2, 3), "default hpa-v1": (0,)}.items()
    },
    "discovery /apis": (OLD_VERSIONS, ["step 0 .body.groups: "]),
    "discovery /apis/apps": (OLD_VERSIONS, ["step 0 .body.versions: "]),
}

CASES = {case.id: case for case in cases()}


class Recorded:
    """The cluster that every case is asked of."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.before = clock.use(VirtualClock(self.runner.get_loop()))
        self.number = 0
        self.cluster = self.runner.run(self._open())

    async def _open(self) -> Cluster:
        controllers = (
            namespace.CONTROLLER,
            serviceaccount.CONTROLLER,
            root_ca.controller(CA),
            clusterrole_aggregation.CONTROLLER,
        )
        cluster = await Cluster(controllers).__aenter__()
        await bootstrap.ensure(cluster.api, app.Cluster(name="knarr", data_dir=Path("/nonexistent")))
        await cluster.api.delete(StorageClass, "local-path")  # the recorded cluster had no default class
        await bootstrap_roles.ensure(cluster.api)
        await cluster.settled()
        return cluster

    def close(self) -> None:
        self.runner.run(self.cluster.__aexit__(None, None, None))
        self.runner.close()
        clock.use(self.before)

    def differences(self, case: Case) -> list[str]:
        return self.runner.run(self._replay(case))

    async def _replay(self, case: Case) -> list[str]:
        self.number += 1
        name = f"recorded-{self.number}"
        body = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).encode()
        assert (await self.ask("POST", "/api/v1/namespaces", body, {"content-type": "application/json"})).code == 201

        async def has_account() -> bool:
            return (await self.ask("GET", f"/api/v1/namespaces/{name}/serviceaccounts/default", b"", {})).code == 200

        await wait_until(has_account)
        try:
            return await case.differences(self.ask, name)
        finally:
            await self.ask("DELETE", f"/api/v1/namespaces/{name}", b"", {})
            await self.cluster.settled()

    async def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        path, _, query = path.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        response = await self.cluster.handler.handle(Request(method, path, pairs, dict(headers), body, ADMIN))
        assert response.stream is None
        warnings = response.headers.get("warning", "")
        try:
            shown = json.loads(response.body)
        except ValueError:
            shown = response.body.decode(errors="replace")[:2000]
        return Answer(response.status, shown, warnings.splitlines())


@pytest.fixture(scope="module")
def recorded() -> Iterator[Recorded]:
    found = Recorded()
    yield found
    found.close()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_answers_are_upstreams(recorded: Recorded, case: Case) -> None:
    found = recorded.differences(case)
    _, known = KNOWN.get(case.id, ("", []))
    assert len(found) == len(known), found
    assert all(map(str.startswith, found, known)), found


def test_nearly_all_answers_are_upstreams() -> None:
    assert KNOWN.keys() <= CASES.keys()
    assert all(reason and differences for reason, differences in KNOWN.values())
    other_codes = [id_ for id_, (_, found) in KNOWN.items() if any(" .code: " in line for line in found)]
    assert len(KNOWN) <= 0.1 * len(CASES)
    assert len(other_codes) <= 0.03 * len(CASES)
