"""The status of a pod, from what the runtime shows and the agent remembers."""

import pytest
from msgspec.structs import replace

from knarr.node.memory import Memory, Reason
from knarr.node.status import pod_status
from tests.unit.node.builders import a_pod
from tests.unit.node.test_pod import DELETED, INIT, NOW, exited, memory, running, sandbox

DUAL, NODE_DUAL = ("10.244.0.2", "fd00:10:244::2"), ("172.30.0.2", "fd00:172:30::2")
UP = memory(started={"main-0"}, ready={"main-0"})
OVER = memory(stopped=True)
RAN = {"phase": "Running"}
OVERDUE = {"activeDeadlineSeconds": 5, "status": {**RAN, "startTime": "1970-01-12T13:46:30Z"}}


def status_of(pod, sandbox, memory, node_ips=("172.30.0.2",)):
    return pod_status(pod, sandbox, memory, NOW, node_ips, "sandbox")


PHASES = {
    "nothing runs yet": (a_pod(), None, Memory(), "Pending"),
    "the container runs": (a_pod(), sandbox(running()), UP, "Running"),
    "an init container runs": (a_pod(**INIT), sandbox(running("first")), memory(), "Pending"),
    "a crash that will be restarted": (a_pod(), sandbox(exited(code=1)), memory(), "Running"),
    "a failure that will be restarted": (a_pod(restart="OnFailure"), sandbox(exited(code=1)), memory(), "Running"),
    "a success that will not": (a_pod(restart="OnFailure"), sandbox(exited(), state="gone"), OVER, "Succeeded"),
    "a failure that will not": (a_pod(restart="Never"), sandbox(exited(code=1), state="gone"), OVER, "Failed"),
    "an init failure that will not": (
        a_pod(restart="Never", **INIT), sandbox(exited("first", 1), state="gone"), OVER, "Failed"),
    "an init failure that will": (
        a_pod(**INIT),
        sandbox(exited("first", 1)),
        memory(waiting={"first": Reason("CrashLoopBackOff")}),
        "Pending",
    ),
    "a deleted pod that still runs": (a_pod(meta=DELETED), sandbox(running()), UP, "Running"),
    "a deleted pod that ended well": (a_pod(meta=DELETED), sandbox(exited(), state="gone"), OVER, "Succeeded"),
    "a deleted pod that was killed": (a_pod(meta=DELETED), sandbox(exited(code=137), state="gone"), OVER, "Failed"),
    "a finished pod stays finished": (a_pod(status={"phase": "Failed"}), sandbox(running()), UP, "Failed"),
    "a pod over its deadline": (a_pod(**OVERDUE), sandbox(exited(), state="gone"), OVER, "Failed"),
    # while anything could run, a pod stays what it was
    "a pod over its deadline that still runs": (a_pod(**OVERDUE), sandbox(running()), UP, "Running"),
    "ended containers in a sandbox that is still there": (
        a_pod(restart="Never", status=RAN), sandbox(exited()), memory(), "Running"),
    "ended containers in a sandbox that nobody has ended": (
        a_pod(restart="Never", status=RAN), sandbox(exited(code=1), state="gone"), memory(), "Running"),
    "an init failure beside a sidecar that runs": (
        a_pod(restart="Never", **INIT), sandbox(exited("first", 1), running("second")), memory(), "Pending"),
    "a deleted pod whose container is just being started": (
        a_pod(meta=DELETED), None, memory(starting=True), "Pending"),
    "a deleted pod that never ran": (a_pod(meta=DELETED), None, memory(), "Failed"),
}  # fmt: skip


@pytest.mark.parametrize("pod, sandbox, memory, phase", PHASES.values(), ids=PHASES)
def test_phase(pod, sandbox, memory, phase):
    assert status_of(pod, sandbox, memory).phase == phase


CONDITIONS = {
    "all is well": (a_pod(), sandbox(running()), UP, {}),
    "not ready": (
        a_pod(),
        sandbox(running()),
        memory(started={"main-0"}),
        {
            "Ready": "ContainersNotReady containers with unready status: [main]",
            "ContainersReady": "ContainersNotReady containers with unready status: [main]",
        },
    ),
    "not initialized": (
        a_pod(**INIT),
        sandbox(exited("first")),
        memory(),
        {
            "Initialized": "ContainersNotInitialized containers with incomplete status: [second]",
            "Ready": "ContainersNotReady containers with unready status: [main]",
            "ContainersReady": "ContainersNotReady containers with unready status: [main]",
        },
    ),
    "refused by the node before its init containers": (
        a_pod(**INIT),
        None,
        memory(refused=Reason("NodePorts", "no")),
        {
            "PodReadyToStartContainers": "",
            "Initialized": "UnknownContainerStatuses",
            "Ready": "PodFailed",
            "ContainersReady": "PodFailed",
        },
    ),
    "no sandbox": (
        a_pod(),
        None,
        memory(),
        {
            "PodReadyToStartContainers": "",
            "Ready": "ContainersNotReady containers with unready status: [main]",
            "ContainersReady": "ContainersNotReady containers with unready status: [main]",
        },
    ),
    "failed": (
        a_pod(restart="Never"),
        sandbox(exited(code=1)),
        memory(),
        {"Ready": "PodFailed", "ContainersReady": "PodFailed"},
    ),
    "succeeded": (
        a_pod(restart="Never"),
        sandbox(exited()),
        memory(),
        {"Ready": "PodCompleted", "ContainersReady": "PodCompleted"},
    ),
    "a readiness gate nobody opened": (
        a_pod(readinessGates=[{"conditionType": "x/y"}]),
        sandbox(running()),
        UP,
        {"Ready": 'ReadinessGatesNotReady corresponding condition of pod readiness gate "x/y" does not exist.'},
    ),
}


@pytest.mark.parametrize("pod, sandbox, memory, untrue", CONDITIONS.values(), ids=CONDITIONS)
def test_conditions(pod, sandbox, memory, untrue):
    found = status_of(pod, sandbox, memory).conditions
    assert [each.type for each in found] == [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    assert {each.type: f"{each.reason} {each.message}".strip() for each in found if each.status != "True"} == untrue


def test_a_pod_over_its_deadline_says_so_once_it_has_ended():
    running_on, ended = (
        status_of(a_pod(**OVERDUE), box, known)
        for box, known in ((sandbox(running()), UP), (sandbox(exited(), state="gone"), OVER))
    )
    assert (running_on.reason, ended.reason) == ("", "DeadlineExceeded")


def test_a_pod_that_was_evicted_says_why_once_it_has_ended():
    running_on = status_of(a_pod(status=RAN), sandbox(running()), memory(evicted="too large"))
    ended = status_of(a_pod(status=RAN), sandbox(exited(), state="gone"), memory(evicted="too large", stopped=True))
    assert (running_on.phase, running_on.reason) == ("Running", "")
    assert (ended.phase, ended.reason, ended.message) == ("Failed", "Evicted", "too large")
    target = next(each for each in ended.conditions if each.type == "DisruptionTarget")
    assert (target.status, target.reason, target.message) == ("True", "TerminationByKubelet", "too large")


def test_a_transition_time_changes_with_the_status_only():
    old = {"type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}
    pod = a_pod(status={"conditions": [old, {"type": "x/y", "status": "False"}]})
    same, other = status_of(pod, sandbox(running()), UP), status_of(pod, sandbox(running()), memory())
    times = [{each.type: each.lastTransitionTime for each in status.conditions} for status in (same, other)]
    assert times[0]["Ready"] == "2020-01-01T00:00:00Z" and times[1]["Ready"] == "1970-01-12T13:46:40Z"
    assert same.conditions[0].type == "x/y"


def test_a_crashing_container_waits_and_shows_how_it_ended():
    why = Reason("CrashLoopBackOff", "back-off 10s restarting failed container=main pod=a_default(uid-of-a)")
    found = status_of(a_pod(), sandbox(exited(code=3, attempt=2)), memory(waiting={"main": why})).containerStatuses[0]
    assert (found.state.waiting.reason, found.state.waiting.message) == (why.reason, why.message)
    assert (found.lastState.terminated.exitCode, found.lastState.terminated.reason) == (3, "Error")
    assert (found.restartCount, found.ready, found.started) == (2, False, False)


def test_a_restarted_container_shows_its_previous_end():
    found = status_of(a_pod(), sandbox(exited(code=3), running(attempt=1)), memory()).containerStatuses[0]
    assert found.state.running and found.lastState.terminated.containerID == "sandbox://main-0"


def test_a_container_that_waits_for_its_turn_says_so():
    status = status_of(a_pod(**INIT), sandbox(running("first")), memory())
    assert status.containerStatuses[0].state.waiting.reason == "PodInitializing"
    assert status_of(a_pod(), sandbox(), memory()).containerStatuses[0].state.waiting.reason == "ContainerCreating"


def test_a_container_lost_with_its_sandbox_is_unknown_once_the_pod_ends():
    old = {"name": "main", "image": "app:1", "imageID": "x", "ready": True, "restartCount": 0}
    old |= {"state": {"running": {"startedAt": "2020-01-01T00:00:00Z"}}, "containerID": "sandbox://gone"}
    status = status_of(a_pod(meta=DELETED, status={"containerStatuses": [old], "phase": "Running"}), None, memory())
    ended = status.containerStatuses[0].state.terminated
    assert (ended.exitCode, ended.reason) == (137, "ContainerStatusUnknown")


def test_addresses_and_generation_are_the_pods():
    status = status_of(a_pod(meta={"generation": 4}), sandbox(running()), UP)
    assert (status.podIP, [each.ip for each in status.podIPs], status.hostIP) == (
        "10.244.0.2",
        ["10.244.0.2"],
        "172.30.0.2",
    )
    assert status.observedGeneration == 4 and {each.observedGeneration for each in status.conditions} == {4}
    assert status_of(a_pod(hostNetwork=True), sandbox(running()), UP).podIP == "172.30.0.2"


IPS = {
    "one family": ({}, sandbox(running()), ("172.30.0.2",), ["10.244.0.2"]),
    "two families": ({}, replace(sandbox(running()), ips=DUAL), NODE_DUAL, [*DUAL]),
    "two families, on the host's network": ({"hostNetwork": True}, sandbox(running()), NODE_DUAL, [*NODE_DUAL]),
}


@pytest.mark.parametrize("spec, shown, node_ips, ips", IPS.values(), ids=IPS)
def test_a_pod_has_an_address_of_each_family_and_so_has_its_node(spec, shown, node_ips, ips):
    found = status_of(a_pod(**spec), shown, UP, node_ips)
    assert [each.ip for each in found.podIPs] == ips
    assert found.podIP == ips[0]
    assert ([each.ip for each in found.hostIPs], found.hostIP) == ([*node_ips], node_ips[0])


def test_a_container_that_is_replaced_has_not_ended():
    pod = a_pod(image="app:2", restart="Never", status=RAN)
    status = status_of(pod, sandbox(exited(code=143)), memory(replaced={"main-0"}))
    (shown,) = status.containerStatuses
    assert status.phase == "Running"
    assert shown.state.waiting.reason == "ContainerCreating"
    assert shown.lastState.terminated.exitCode == 143
