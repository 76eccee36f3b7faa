"""PyPI's `kubernetes` and pods: binding, evicting, ending them, their logs, commands and ports."""

from functools import partial

import pytest
from kubernetes import client, config, stream, watch
from kubernetes.client.exceptions import ApiException

from tests.wire.places import a_pod

shows = partial(pytest.mark.operation, "kubernetes")


@pytest.fixture
def api(place):
    with config.new_client_from_config(str(place.kubeconfig)) as connected:
        yield connected


@pytest.fixture
def core(api):
    return client.CoreV1Api(api)


@pytest.fixture
def namespace(place):
    return place.namespace


def ready(core, namespace, manifest):
    """A pod that has become Ready."""
    made = core.create_namespaced_pod(namespace, manifest)
    seen = watch.Watch().stream(
        core.list_namespaced_pod, namespace, resource_version=made.metadata.resource_version, timeout_seconds=60
    )
    name = made.metadata.name
    for event in seen:
        pod = event["object"]
        if (
            pod.metadata.name == name
            and {"Ready": "True"}.items() <= {c.type: c.status for c in pod.status.conditions or ()}.items()
        ):
            return pod
    raise AssertionError(f"{name} did not become Ready")


@shows("delete: grace period and preconditions")
def test_deletion_honours_preconditions_and_the_grace_period(core, namespace):
    pod = ready(core, namespace, a_pod(terminationGracePeriodSeconds=3600))
    with pytest.raises(ApiException) as error:
        core.delete_namespaced_pod("web", namespace, body={"preconditions": {"uid": "another"}})
    assert error.value.status == 409
    ending = core.delete_namespaced_pod("web", namespace, grace_period_seconds=1800)
    assert (ending.metadata.uid, ending.metadata.deletion_grace_period_seconds) == (pod.metadata.uid, 1800)
    core.delete_namespaced_pod("web", namespace, grace_period_seconds=0)
    assert core.list_namespaced_pod(namespace).items == []


@shows("binding")
def test_a_scheduler_of_ones_own_binds_pods(core, namespace):
    core.create_namespaced_pod(namespace, a_pod(schedulerName="mine"))
    node = core.list_node().items[0].metadata.name
    target = client.V1ObjectReference(api_version="v1", kind="Node", name=node)
    binding = client.V1Binding(metadata=client.V1ObjectMeta(name="web"), target=target)
    core.create_namespaced_pod_binding("web", namespace, binding, _preload_content=False)
    assert core.read_namespaced_pod("web", namespace).spec.node_name == node
    with pytest.raises(ApiException) as error:
        core.create_namespaced_pod_binding("web", namespace, binding, _preload_content=False)
    assert error.value.status == 409


@shows("eviction")
def test_an_eviction_waits_for_the_budget(api, core, namespace):
    ready(core, namespace, a_pod())
    budgets = client.PolicyV1Api(api)
    budgets.create_namespaced_pod_disruption_budget(
        namespace,
        {"metadata": {"name": "web"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}},
    )
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name="web"))
    with pytest.raises(ApiException) as error:
        core.create_namespaced_pod_eviction("web", namespace, eviction)
    assert error.value.status == 429
    budgets.delete_namespaced_pod_disruption_budget("web", namespace)
    core.create_namespaced_pod_eviction("web", namespace, eviction)
    left = core.list_namespaced_pod(namespace)
    events = watch.Watch().stream(
        core.list_namespaced_pod,
        namespace,
        resource_version=left.metadata.resource_version,
        timeout_seconds=60,
    )
    assert left.items == [] or any(event["type"] == "DELETED" for event in events)


@shows("logs")
def test_logs_are_read_and_followed(core, namespace):
    ready(core, namespace, a_pod())
    text = "simulated: this container has no process and writes no log"
    assert core.read_namespaced_pod_log("web", namespace, tail_lines=5) == text + "\n"
    assert next(watch.Watch().stream(core.read_namespaced_pod_log, "web", namespace)) == text


@shows("exec over WebSocket")
def test_a_command_runs_over_a_websocket(core, namespace):
    ready(core, namespace, a_pod())
    running = stream.stream(
        core.connect_get_namespaced_pod_exec,
        "web",
        namespace,
        command=["cat"],
        stdin=True,
        stdout=True,
        stderr=True,
        _preload_content=False,
    )
    running.write_stdin("x")
    running.run_forever(timeout=60)
    assert running.returncode == 0
    assert running.read_stdout() == "simulated: this pod has no process\n"
    running.close()


@shows("port-forward over WebSocket")
def test_a_port_is_forwarded_over_a_websocket(core, namespace):
    ready(core, namespace, a_pod())
    forwarded = stream.portforward(core.connect_get_namespaced_pod_portforward, "web", namespace, ports="80")
    socket = forwarded.socket(80)
    socket.settimeout(60)
    socket.sendall(b"GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n")
    answer = b""
    while b"no process" not in answer:
        answer += (more := socket.recv(4096))
        assert more, answer
    forwarded.close()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
