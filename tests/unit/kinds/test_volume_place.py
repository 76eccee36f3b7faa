"""On which node a volume lies."""

import msgspec
import pytest

from knarr.kinds.types.core_v1 import Node, PersistentVolume
from knarr.kinds.volume_place import HOSTNAME, home, label, lies_on


def term(*hosts, operator="In", key=HOSTNAME):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(hosts)}]}


def both(*terms):
    return {"matchExpressions": [each for one in terms for each in one["matchExpressions"]]}


def a_volume(*terms, labelled="", made=False):
    affinity = {"nodeAffinity": {"required": {"nodeSelectorTerms": list(terms)}}} if terms else {}
    meta = {
        "name": "v",
        "labels": {HOSTNAME: labelled} if labelled else {},
        "annotations": {"pv.kubernetes.io/provisioned-by": "rancher.io/local-path"} if made else {},
    }
    return msgspec.convert({"metadata": meta, "spec": affinity}, PersistentVolume)


def a_node(name, host=""):
    return msgspec.convert({"metadata": {"name": name, "labels": {HOSTNAME: host or name}}}, Node)


ZONE = term("z", key="topology.kubernetes.io/zone")
#: sentence -> the terms of the affinity, and the one host that they allow
HOMES = {
    "nothing is said": ([], ""),
    "one host": ([term("a")], "a"),
    "one host, twice": ([term("a"), term("a")], "a"),
    "one host of a zone": ([both(term("a"), ZONE)], "a"),
    "either of two": ([term("a"), term("b")], ""),
    "one of two": ([term("a", "b")], ""),
    "any other": ([term("a", operator="NotIn")], ""),
    "any that has a name": ([term(operator="Exists")], ""),
    "a host, or a zone": ([term("a"), ZONE], ""),
    "two at once, which is none": ([both(term("a"), term("b"))], ""),
    "a zone": ([ZONE], ""),
}


@pytest.mark.parametrize("terms, host", HOMES.values(), ids=HOMES)
def test_where_a_volume_can_be_used(terms, host):
    assert home(a_volume(*terms).spec) == host


#: sentence -> the volume, and whether it lies on the node n, whose host name is h
PLACES = {
    "its affinity names the host": (a_volume(term("h")), True),
    "its affinity names the node, which is another's host name": (a_volume(term("n")), False),
    "its affinity allows another too": (a_volume(term("h", "i")), False),
    "its provisioner says so": (a_volume(labelled="n", made=True), True),
    "its provisioner says so, whatever the host was called": (a_volume(term("old"), labelled="n", made=True), True),
    "somebody says so": (a_volume(labelled="n"), False),
    "its provisioner says another": (a_volume(labelled="m", made=True), False),
    "nothing is said": (a_volume(), False),
}


@pytest.mark.parametrize("volume, there", PLACES.values(), ids=PLACES)
def test_a_volume_lies_on_a_node_when(volume, there):
    assert lies_on(volume, "n", "h") is there


def test_the_host_name_of_a_node_is_its_name_unless_it_is_told():
    assert lies_on(a_volume(term("n")), "n")


LABELS = {
    "the name of the node with that host name": ([a_node("n", "h"), a_node("m")], {HOSTNAME: "n"}),
    "the host name, of a node that is not known": ([a_node("m")], {HOSTNAME: "h"}),
    "the host name, where two nodes have it": ([a_node("n", "h"), a_node("m", "h")], {HOSTNAME: "h"}),
}


@pytest.mark.parametrize("nodes, expected", LABELS.values(), ids=LABELS)
def test_the_label_of_a_volume_is(nodes, expected):
    assert label(a_volume(term("h")).spec, nodes) == expected


def test_a_volume_of_several_nodes_has_no_label():
    assert label(a_volume(term("a", "b")).spec, [a_node("a")]) == {}
