"""Every kubectl creates, shows, describes and deletes an object of every kind that the server serves."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.wire.compatibility import kubectl_version
from tests.wire.kubectl_cluster import telling
from tests.wire.kubectl_stories import kubectls
from tests.wire.kubectl_transcripts import Command

MANIFESTS = Path(__file__).with_name("kubectl_kinds.yaml").read_text()
#: what a kubectl describes by a version of the API that upstream no longer serves either
UNSERVED = {
    "EndpointSlice": [(1, 20)],
    "IPAddress": [(1, minor) for minor in range(27, 33)],
    "ServiceCIDR": [(1, minor) for minor in range(29, 33)],
    "VolumeAttributesClass": [(1, minor) for minor in range(29, 34)],
}


def command(*words):
    return Command("$", words, {}, "", (), 0)


@pytest.fixture(params=kubectls() or [None], ids=lambda path: path.name if path else "none")
async def kubectl(request, simulated, tmp_path):
    """Types a command that must succeed; gives what it printed."""
    if request.param is None:
        pytest.skip("there is no kubectl here")
    async with telling(request.param, kubectl_version(request.param), simulated, tmp_path) as teller:

        async def run(*words):
            code, output = await teller.run(command(*words))
            wrong = [line for line in output.splitlines() if "error" in line.lower()]
            assert code == 0, f"kubectl {' '.join(words)}: {wrong}"
            return output

        run.teller = teller
        yield run


def objects(namespace, number=0):
    """The manifests, with a name and an address for what is not in the namespace."""
    return yaml.safe_load(MANIFESTS.replace("$NS", namespace).replace("$IP", f"192.0.2.{number + 1}"))


def served(cluster):
    """Every kind that can be created and read."""
    groups = [group["preferredVersion"]["groupVersion"] for group in cluster.request("GET", "/apis")["groups"]]
    lists = [cluster.request("GET", path) for path in ("/api/v1", *(f"/apis/{group}" for group in groups))]
    whole = [resource for found in lists for resource in found["resources"] if "/" not in resource["name"]]
    return {found["kind"] for found in whole if {"create", "get"} <= set(found["verbs"])}


def test_there_is_an_object_of_every_kind(simulated):
    assert served(simulated) == {tree["kind"] for tree in objects("x")}


@pytest.mark.operation("kubectl", "describe")
@pytest.mark.operation("kubectl", "get -f")
@pytest.mark.operation("kubectl", "delete -f")
async def test_every_kind_is_created_shown_described_and_deleted(kubectl):
    told = kubectl.teller
    trees = objects(told.namespace, kubectls().index(told.binary))
    named = [tree for tree in trees if tree["kind"] != "Event"]  # whose first column is another
    describable = [tree for tree in trees if told.version not in UNSERVED.get(tree["kind"], ())]
    write(told.folder / "all.json", trees)
    write(told.folder / "describable.json", describable)
    await kubectl("create", "-f", "all.json", "--validate=false")
    shown = await kubectl("get", "-f", "all.json", "-o", "wide")
    described = await kubectl("describe", "-f", "describable.json")
    deleted = await kubectl("delete", "-f", "all.json", "--wait=false", "--ignore-not-found")
    assert re.findall(r"^[a-z]+(?:\.[a-z0-9.]+)?/(\S+)", shown, re.MULTILINE) == names(named)
    assert len(re.findall(r"^(?:NAME|LAST SEEN) ", shown, re.MULTILINE)) == len(trees)
    assert re.findall(r"^Name: +(\S+)$", described, re.MULTILINE) == names(describable)
    assert deleted.count('" deleted') == len(trees)


def names(trees):
    return [tree["metadata"]["name"] for tree in trees]


def write(path, trees):
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": trees}))
