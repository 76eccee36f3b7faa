"""What every cluster has a moment after its start."""

import json

import pytest

from knarr.app import bootstrap_flows, bootstrap_later
from knarr.controllers import apiservice
from knarr.kinds.table import BUILTIN
from knarr.kinds.types.apiregistration_v1 import APIService
from knarr.kinds.types.core_v1 import ConfigMap
from knarr.kinds.types.flowcontrol_v1 import FlowSchema, PriorityLevelConfiguration
from knarr.kinds.types.networking_v1 import ServiceCIDR
from knarr.testing.cluster import Cluster
from knarr.testing.virtual_time import run

RANGE = ["10.96.0.0/16"]
VERSIONS = {(kind.group, kind.version) for kind in BUILTIN.all()}


def test_every_flow_is_valid_and_has_its_level():
    made = list(bootstrap_flows.objects())
    assert [list(BUILTIN.by_type(type(found)).validate(found)) for found in made] == [[]] * len(made)
    levels = {found.metadata.name for found in made if isinstance(found, PriorityLevelConfiguration)}
    assert {f.spec.priorityLevelConfiguration.name for f in made if isinstance(f, FlowSchema)} == levels


async def test_what_is_missing_is_made_and_what_is_there_is_left_alone():
    async with Cluster([]) as cluster:
        await bootstrap_later.ensure(cluster.api, "PEM", "FRONT", RANGE)
        await cluster.api.delete(FlowSchema, "probes")
        before = await cluster.api.get(FlowSchema, "exempt")
        await bootstrap_later.ensure(cluster.api, "NEW", "FRONT", RANGE)
        assert await cluster.api.get(FlowSchema, "exempt") == before
        assert (await cluster.api.get(FlowSchema, "probes")).status.conditions[0].type == "Dangling"
        range_ = await cluster.api.get(ServiceCIDR, "kubernetes")
        assert (range_.spec.cidrs, range_.status.conditions[0].status) == (RANGE, "True")
        config = await cluster.api.get(ConfigMap, "extension-apiserver-authentication", "kube-system")
        assert (config.data["client-ca-file"], config.data["requestheader-client-ca-file"]) == ("NEW", "FRONT")
        assert json.loads(config.data["requestheader-username-headers"]) == ["X-Remote-User"]


@pytest.mark.parametrize("group_version", sorted(VERSIONS), ids=apiservice.name_of)
def test_every_entry_is_valid(group_version):
    found = apiservice.entry(group_version)
    assert list(BUILTIN.by_type(APIService).validate(found)) == []


def test_every_group_version_has_an_entry_that_comes_back():
    async def story():
        async with Cluster([apiservice.controller(VERSIONS)]) as cluster:
            await cluster.settled()
            names = {found.metadata.name for found in (await cluster.api.list(APIService)).items}
            assert {"v1.", "v1.apps", "v2.autoscaling"} <= names and "v1.apiregistration.k8s.io" not in names
            await cluster.api.delete(APIService, "v1.apps")
            await cluster.settled()
            entry = await cluster.api.get(APIService, "v1.apps")
            assert (entry.spec.groupPriorityMinimum, entry.spec.versionPriority) == (17800, 15)
            assert entry.metadata.labels == {"kube-aggregator.kubernetes.io/automanaged": "onstart"}

    run(story())


CUSTOM = ("example.com", "v1")
PLANS = {
    "a custom resource gets one": ("v1.example.com", None, [CUSTOM], ["create apiservice v1.example.com"]),
    "it goes with its definition": (
        "v1.example.com",
        apiservice.entry(CUSTOM, custom=True),
        [],
        ["delete apiservice v1.example.com: nothing serves it any more"],
    ),
    "another's is left alone": ("v1.metrics.k8s.io", apiservice.entry(("metrics.k8s.io", "v1")), [], []),
}


@pytest.mark.parametrize(("name", "found", "custom", "steps"), PLANS.values(), ids=PLANS)
def test_plan(name, found, custom, steps):
    assert [str(step) for step in apiservice.plan(name, found, [("apps", "v1")], custom)] == steps
