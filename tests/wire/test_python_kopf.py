"""An operator written with PyPI's `kopf`: handlers, finalizers, adopted children and status of a custom resource."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from kubernetes_asyncio import client, config, watch

from tests.wire.boats import BOAT, GROUP

OPERATOR = Path(__file__).with_name("kopf_operator.py")


async def seen(events, wanted):
    """Read a watch until an event is as wanted."""
    async for event in events:
        if wanted(event["type"], event["raw_object"]):
            return event["raw_object"]
    raise AssertionError("it did not come")


def is_map(name, **data):
    return lambda type_, obj: (
        type_ != "DELETED" and obj["metadata"]["name"] == name and data.items() <= obj.get("data", {}).items()
    )


@pytest.mark.operation("kopf", "operator: handlers, finalizer, owned child, events")
async def test_an_operator_follows_an_object_from_creation_to_deletion(boats):
    operator = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kopf", "run", "--standalone", "-n", boats.namespace, OPERATOR),
        env={**os.environ, "KUBECONFIG": str(boats.kubeconfig)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(120), await config.new_client_from_config(str(boats.kubeconfig)) as api:
            core, objects = client.CoreV1Api(api), client.CustomObjectsApi(api)
            where = (GROUP, "v1", boats.namespace, "boats")
            async with watch.Watch() as watching:
                events = watching.stream(core.list_namespaced_config_map, boats.namespace)
                await objects.create_namespaced_custom_object(*where, BOAT)
                child = await seen(events, is_map("skuld-crew", size="6"))
                assert [owner["kind"] for owner in child["metadata"]["ownerReferences"]] == ["Boat"]
                await objects.patch_namespaced_custom_object(
                    *where, "skuld", {"spec": {"oars": 8}}, _content_type="application/merge-patch+json"
                )
                await seen(events, is_map("skuld-crew", size="8"))
                boat = await objects.get_namespaced_custom_object(*where, "skuld")
                assert boat["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
                assert boat["status"]["crew"] == "skuld-crew"
                await objects.delete_namespaced_custom_object(*where, "skuld")
                await seen(events, is_map("skuld-landed"))
            async with watch.Watch() as watching:
                events = watching.stream(core.list_namespaced_event, boats.namespace)
                told = await seen(events, lambda type_, event: event["reason"] == "Launched")
            assert (told["message"], told["involvedObject"]["kind"]) == ("it floats", "Boat")
    finally:
        operator.terminate()
        await operator.wait()
