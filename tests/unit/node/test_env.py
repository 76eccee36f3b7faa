"""A container's environment and the downward API."""

import base64

import msgspec
import pytest

from knarr.kinds.types.core_v1 import ConfigMap, ResourceFieldSelector, Secret, Service
from knarr.node.env import EnvError, Sources, environment, expand, wanted
from knarr.node.fields import FieldUnknown, object_field, resource_field
from tests.unit.node.builders import a_pod

MAP = ConfigMap(data={"color": "blue", "size": "xl"})
SECRET = Secret(data={"token": base64.b64encode(b"s3cret").decode()})
SOURCES = Sources(config_maps={"cm": MAP}, secrets={"sec": SECRET})

CASES = {
    "a plain value": ([{"name": "A", "value": "1"}], [], {"A": "1"}),
    "a reference to an earlier one": (
        [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)-$$(A)-$(C)"}],
        [],
        {"A": "1", "B": "1-$(A)-$(C)"},
    ),
    "a key of a config map": (
        [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "color"}}}],
        [],
        {"A": "blue"},
    ),
    "a key of a secret": (
        [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "token"}}}],
        [],
        {"A": "s3cret"},
    ),
    "an optional key that is not there": (
        [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "x", "optional": True}}}],
        [],
        {},
    ),
    "all of a config map, with a prefix": (
        [],
        [{"prefix": "P_", "configMapRef": {"name": "cm"}}],
        {"P_color": "blue", "P_size": "xl"},
    ),
    "an own value over a whole map's": (
        [{"name": "color", "value": "red"}],
        [{"configMapRef": {"name": "cm"}}],
        {"color": "red", "size": "xl"},
    ),
    "a field of the pod": (
        [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        [],
        {"A": "a"},
    ),
    "a limit in units of its divisor": (
        [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}}],
        [],
        {"A": "128"},
    ),
}


def container(env=(), env_from=()):
    resources = {"limits": {"memory": "128Mi", "cpu": "1500m"}, "requests": {"cpu": "250m"}}
    return a_pod(container={"env": list(env), "envFrom": list(env_from), "resources": resources})


@pytest.mark.parametrize("env, env_from, values", CASES.values(), ids=CASES)
def test_environment(env, env_from, values):
    pod = container(env, env_from)
    assert environment(pod, pod.spec.containers[0], SOURCES) == values


FAILURES = {
    "a config map that is not there": ({"configMapKeyRef": {"name": "no", "key": "x"}}, 'configmap "no" not found'),
    "a key that is not there": (
        {"configMapKeyRef": {"name": "cm", "key": "x"}},
        "couldn't find key x in ConfigMap default/cm",
    ),
    "a secret's key that is not there": (
        {"secretKeyRef": {"name": "sec", "key": "x"}},
        "couldn't find key x in Secret default/sec",
    ),
    "a field that does not exist": ({"fieldRef": {"fieldPath": "spec.x"}}, "unsupported fieldPath: spec.x"),
}


@pytest.mark.parametrize("source, message", FAILURES.values(), ids=FAILURES)
def test_a_variable_that_cannot_be_had(source, message):
    pod = container([{"name": "A", "valueFrom": source}])
    with pytest.raises(EnvError) as caught:
        environment(pod, pod.spec.containers[0], SOURCES)
    assert str(caught.value) == message


def test_what_is_wanted_is_named():
    pod = container(
        [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "x"}}}], [{"configMapRef": {"name": "cm"}}]
    )
    assert wanted(pod.spec.containers[0]) == ({"cm"}, {"sec"})


def service(name, namespace="default", ip="10.96.0.9", ports=({"port": 80, "name": "web"},)):
    tree = {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": ip, "ports": list(ports)}}
    return msgspec.convert(tree, Service)


def test_services_announce_themselves():
    pod = container()
    services = (service("my-db"), service("other", "elsewhere"), service("headless", ip="None"))
    found = environment(pod, pod.spec.containers[0], Sources(services=services))
    assert found == {
        "MY_DB_SERVICE_HOST": "10.96.0.9",
        "MY_DB_SERVICE_PORT": "80",
        "MY_DB_SERVICE_PORT_WEB": "80",
        "MY_DB_PORT": "tcp://10.96.0.9:80",
        "MY_DB_PORT_80_TCP": "tcp://10.96.0.9:80",
        "MY_DB_PORT_80_TCP_PROTO": "tcp",
        "MY_DB_PORT_80_TCP_PORT": "80",
        "MY_DB_PORT_80_TCP_ADDR": "10.96.0.9",
    }


def test_without_service_links_only_the_api_is_announced():
    pod = a_pod(enableServiceLinks=False)
    services = (service("db"), service("kubernetes"))
    found = environment(pod, pod.spec.containers[0], Sources(services=services))
    assert "KUBERNETES_SERVICE_HOST" in found and "DB_SERVICE_HOST" not in found


@pytest.mark.parametrize(
    "path, value",
    {
        "metadata.labels['app']": "x",
        "metadata.annotations": 'note="two\\nlines"',
        "metadata.namespace": "default",
        "status.podIP": "10.0.0.9",
    }.items(),
)
def test_a_field_of_a_pod(path, value):
    meta = {"labels": {"app": "x"}, "annotations": {"note": "two\nlines"}}
    assert object_field(a_pod(meta=meta, status={"podIP": "10.0.0.9"}), path) == value


@pytest.mark.parametrize(
    "resource, divisor, value",
    [
        ("limits.cpu", "", "2"),
        ("limits.cpu", "1m", "1500"),
        ("requests.cpu", "", "1"),
        ("requests.memory", "1Ki", "131072"),
        ("limits.ephemeral-storage", "1Gi", "10"),
    ],
)
def test_a_resource_is_rounded_up(resource, divisor, value):
    pod = container()
    ref = ResourceFieldSelector(resource=resource, divisor=divisor)
    assert resource_field(pod, pod.spec.containers[0], ref, {"ephemeral-storage": "10Gi"}) == value


def test_an_unknown_container_is_said_to_be():
    pod = container()
    with pytest.raises(FieldUnknown, match="container x not found"):
        resource_field(pod, pod.spec.containers[0], ResourceFieldSelector(containerName="x"), {})


def test_expansion_leaves_the_rest_alone():
    assert expand("$(A) $A ${A} $$ $(", {"A": "1"}) == "1 $A ${A} $ $("
