"""Which pods a node does not take."""

import msgspec
import pytest

from knarr.kinds.types.core_v1 import Node
from knarr.node.refusals import of_node, of_profile, of_system
from tests.unit.node.builders import a_pod

ROOM = {"cpu": "2", "memory": "1Gi", "pods": "3"}
NODE = msgspec.convert(
    {"metadata": {"name": "n0", "labels": {"disk": "ssd"}}, "status": {"allocatable": ROOM}}, Node
)  # fmt: skip
NO_MATCH = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"


def asking(**amounts):
    return {"container": {"resources": {"requests": amounts}}}


def requiring(*values):
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": list(values)}]}
    return {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    }


CASES = {
    "one that asks for nothing": ({}, 2, None),
    "one that fits beside the others": (asking(cpu="1"), 2, None),
    "more CPU than is left": (
        asking(cpu="1001m"),
        2,
        ("OutOfcpu", "Node didn't have enough resource: cpu, requested: 1001, used: 1000, capacity: 2000"),
    ),
    "more memory than there is": (
        asking(memory="2Gi"),
        0,
        (
            "OutOfmemory",
            "Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824",
        ),
    ),
    "one too many": (
        {},
        3,
        ("OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3"),
    ),
    "what the node does not count": (asking(**{"example.com/dongle": "1"}), 0, None),
    "a label that the node has": ({"nodeSelector": {"disk": "ssd"}}, 0, None),
    "a label that it has not": ({"nodeSelector": {"disk": "hdd"}}, 0, ("NodeAffinity", NO_MATCH)),
    "an affinity that holds": (requiring("hdd", "ssd"), 0, None),
    "an affinity that does not": (requiring("hdd"), 0, ("NodeAffinity", NO_MATCH)),
}


@pytest.mark.parametrize("spec, beside, expected", CASES.values(), ids=CASES)
def test_a_pod_that_nobody_placed(spec, beside, expected):
    others = [a_pod(f"other-{number}", **asking(cpu="500m")) for number in range(beside)]
    found = of_node(a_pod(**spec), NODE, others)
    assert (found and (found.reason, found.message)) == expected


def listening(port=8000, host="", protocol="TCP"):
    ports = [{"containerPort": 80, "hostPort": port, "hostIP": host, "protocol": protocol}]
    return {"container": {"ports": ports}}


PORTS = {
    "the same port": (listening(), True),
    "another port": (listening(8001), False),
    "another protocol": (listening(protocol="UDP"), False),
    "one address of all": (listening(host="10.0.0.1"), True),
}


@pytest.mark.parametrize("spec, refused", PORTS.values(), ids=PORTS)
def test_a_host_port_is_of_one_pod(spec, refused):
    found = of_node(a_pod(**spec), NODE, [a_pod("other", **listening())])
    said = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
    assert (found and (found.reason, found.message)) == (("NodePorts", said) if refused else None)


def test_two_addresses_of_a_node_may_have_the_same_host_port():
    other = a_pod("other", **listening(host="10.0.0.2"))
    assert of_node(a_pod(**listening(host="10.0.0.1")), NODE, [other]) is None


def test_a_pod_of_another_system_is_refused():
    assert of_system(a_pod(os={"name": "linux"})) is None
    assert of_system(a_pod(os={"name": "windows"})).reason == "PodOSNotSupported"


ARMOURS = {
    "nobody asks": ({}, False),
    "the pod asks for none": ({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}, False),
    "the pod asks": ({"securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}}}, True),
    "a container asks": ({"container": {"securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}}}}, True),
}


@pytest.mark.parametrize("spec, refused", ARMOURS.values(), ids=ARMOURS)
def test_no_node_pretends_to_confine_by_apparmor(spec, refused):
    found = of_profile(a_pod(**spec))
    assert (found and found.reason) == ("AppArmor" if refused else None)
