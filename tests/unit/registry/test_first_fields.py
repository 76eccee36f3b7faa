"""The remembered fields of new objects are those that would be worked out anew, whatever the objects are."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.kinds.pod import KIND as POD
from knarr.kinds.service import KIND as SERVICE
from knarr.registry import managed
from knarr.registry.core import Options
from knarr.registry.fieldsets import encode
from knarr.registry.pipeline import read

ports = st.builds(
    lambda port, protocol, name: {"containerPort": port} | ({"protocol": protocol} if protocol else {}) | name,
    st.sampled_from([80, 443]),
    st.sampled_from(["", "TCP", "UDP"]),
    st.sampled_from([{}, {"name": "web"}, {"hostPort": 0}]),
)
containers = st.builds(
    lambda name, ports, rest: {"name": name, "image": "x", "ports": ports} | rest,
    st.sampled_from(["a", "b"]),
    st.lists(ports, max_size=2, unique_by=lambda p: (p["containerPort"], p.get("protocol"))),
    st.sampled_from(
        [{}, {"resources": {}}, {"resources": {"limits": {"cpu": "1"}}}, {"tty": False}, {"args": ["", "y"]}]
    ),
)
pods = st.builds(
    lambda labels, containers, rest: {"metadata": labels, "spec": {"containers": containers} | rest},
    st.sampled_from([{}, {"labels": {}}, {"labels": {"a": ""}}, {"finalizers": ["x/y"]}, {"finalizers": ["x/z"]}]),
    st.lists(containers, min_size=1, max_size=2, unique_by=lambda c: c["name"]),
    st.sampled_from(
        [{}, {"hostNetwork": False}, {"hostNetwork": True}, {"nodeSelector": {}}, {"nodeSelector": {"a": "b"}}]
    ),
)


@given(st.lists(pods, min_size=1, max_size=4))
def test_pods_own_the_fields_they_would_own_if_nothing_were_remembered(trees):
    for tree in trees:
        read(POD, tree, Options())
        POD.defaults(tree)
        found = managed.created(POD, tree, "me", "")
        assert found[0]["fieldsV1"] == encode(managed.Changes(POD, None, tree, "").taken("v1"))


@pytest.mark.parametrize("count", [1, 300], ids=["small", "too large to be remembered"])
def test_a_service_of_any_size_has_its_fields(count):
    ports = [{"name": f"p{n}", "port": n + 1, "protocol": "TCP"} for n in range(count)]
    tree = msgspec.json.decode(msgspec.json.encode({"metadata": {"name": "a"}, "spec": {"ports": ports}}))
    found = managed.created(SERVICE, tree, "me", "")[0]["fieldsV1"]
    assert len(found["f:spec"]["f:ports"]) == count + 1
