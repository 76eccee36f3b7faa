"""What a pod's worker decides, as a table from a sentence to its steps."""

import pytest

from knarr.node.memory import BackOff, Memory, Reason, Retry, Unhealthy, longer
from knarr.node.pod import duration, ending, plan
from knarr.node.runtimes.runtime import ContainerState, PodSandbox
from tests.unit.node.builders import a_pod

NOW = 1_000_000.0
DELETED = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}
INIT = {"initContainers": [{"name": "first", "image": "app:1"}, {"name": "second", "image": "app:1"}]}
SIDE = {
    "initContainers": [
        {"name": "proxy", "image": "app:1", "restartPolicy": "Always"},
        {"name": "agent", "image": "app:1", "restartPolicy": "Always"},
    ]
}


def running(name="main", attempt=0):
    return ContainerState(f"{name}-{attempt}", name, attempt, "app:1", "sha256:1", "running", started=NOW - 60)


def exited(name="main", code=0, attempt=0, ago=1.0):
    state = "exited"
    return ContainerState(
        f"{name}-{attempt}", name, attempt, "app:1", "sha256:1", state, finished=NOW - ago, exit_code=code
    )


def sandbox(*containers, state="ready", attempt=0):
    return PodSandbox("uid-of-a", "a", "default", "10.244.0.2", state, NOW - 60, containers, attempt=attempt)


def memory(**fields):
    return Memory(prepared=True, **fields)


def waits(reason, at, failed=NOW - 5, message="no"):
    return {"main": Retry(Reason(reason, message), at, failed)}


CASES = {
    "a new pod gets its volumes, its sandbox and its container": (
        a_pod(),
        None,
        Memory(),
        ["prepare volumes", "run sandbox", "start main"],
    ),
    "a pod that runs is left alone": (a_pod(), sandbox(running()), memory(), []),
    "a container of another image than the pod wants is stopped": (
        a_pod(image="app:2"),
        sandbox(running()),
        memory(),
        ["stop main within 30 s: Container main definition changed, will be restarted"],
    ),
    "it is stopped once": (a_pod(image="app:2"), sandbox(running()), memory(stopping={"main-0": 30.0}), []),
    "it is started again whatever the policy": (
        a_pod(image="app:2", restart="Never"),
        sandbox(exited(code=143)),
        memory(replaced={"main-0"}),
        ["start main (attempt 1)"],
    ),
    "what had ended before its image changed stays so": (
        a_pod(image="app:2", restart="Never"),
        sandbox(exited()),
        memory(),
        ["stop sandbox"],
    ),
    "an init container goes first": (
        a_pod(**INIT),
        sandbox(),
        memory(),
        ["start first"],
    ),
    "the next init container waits for the one before": (
        a_pod(**INIT),
        sandbox(running("first")),
        memory(),
        ["hold first until 1003600"],
    ),
    "a finished init container lets the next one go": (
        a_pod(**INIT),
        sandbox(exited("first")),
        memory(),
        ["start second"],
    ),
    "the last init container lets the containers go": (
        a_pod(**INIT),
        sandbox(exited("first"), exited("second")),
        memory(),
        ["start main"],
    ),
    "a failed init container is started again": (
        a_pod(**INIT),
        sandbox(exited("first", 1)),
        memory(),
        ["start first (attempt 1)"],
    ),
    "a failed init container of a pod that never restarts ends the pod": (
        a_pod(restart="Never", **INIT),
        sandbox(exited("first", 1)),
        memory(),
        ["stop sandbox"],
    ),
    "init containers are not started again once a container was": (
        a_pod(**INIT),
        sandbox(running()),
        memory(),
        [],
    ),
    "a sidecar that has not started holds back what follows": (
        a_pod(**SIDE),
        sandbox(running("proxy")),
        memory(),
        ["hold proxy until 1003600"],
    ),
    "started sidecars let the containers go": (
        a_pod(**SIDE),
        sandbox(running("proxy"), running("agent")),
        memory(started={"proxy-0", "agent-0"}),
        ["start main"],
    ),
    "a sidecar that ended is started again while the container runs": (
        a_pod(**SIDE),
        sandbox(exited("proxy"), running("agent"), running()),
        memory(started={"agent-0"}),
        ["start proxy (attempt 1)"],
    ),
    "a first crash is restarted at once": (
        a_pod(),
        sandbox(exited(code=1)),
        memory(),
        ["start main (attempt 1)"],
    ),
    "a second crash waits ten seconds from its end": (
        a_pod(),
        sandbox(exited(code=1, attempt=1)),
        memory(crashes={"main": BackOff(10, NOW - 3)}),
        [
            "hold main until 1000009: CrashLoopBackOff",
        ],
    ),
    "a back-off that is over lets the container go": (
        a_pod(),
        sandbox(exited(code=1, attempt=1, ago=11)),
        memory(crashes={"main": BackOff(10, NOW - 13)}),
        ["start main (attempt 2)"],
    ),
    "a container that ran for ten minutes starts over": (
        a_pod(),
        sandbox(exited(code=1, attempt=7)),
        memory(crashes={"main": BackOff(300, NOW - 700)}),
        ["start main (attempt 8)"],
    ),
    "a success is restarted when the policy is Always": (
        a_pod(),
        sandbox(exited()),
        memory(),
        ["start main (attempt 1)"],
    ),
    "a success ends a pod that restarts on failure": (
        a_pod(restart="OnFailure"),
        sandbox(exited()),
        memory(),
        ["stop sandbox"],
    ),
    "a failure ends a pod that never restarts": (
        a_pod(restart="Never"),
        sandbox(exited(code=1)),
        memory(),
        ["stop sandbox"],
    ),
    "a finished pod keeps what is left of it": (
        a_pod(restart="Never", status={"phase": "Failed"}),
        sandbox(exited(code=1), state="gone"),
        memory(stopped=True),
        [],
    ),
    "a container's own rule restarts it where the pod would not": (
        a_pod(
            restart="Never",
            container={
                "restartPolicy": "Never",
                "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}],
            },
        ),
        sandbox(exited(code=42)),
        memory(),
        ["start main (attempt 1)"],
    ),
    "an attempt older than the last but one is forgotten": (
        a_pod(),
        sandbox(exited(code=1), exited(code=1, attempt=1), running(attempt=2)),
        memory(),
        ["forget main (attempt 0)"],
    ),
    "a container condemned by its probe is stopped": (
        a_pod(),
        sandbox(running()),
        memory(unhealthy={"main-0": Unhealthy("Container main failed liveness probe, will be restarted")}),
        ["stop main within 30 s: Container main failed liveness probe, will be restarted"],
    ),
    "the probe's own grace counts": (
        a_pod(),
        sandbox(running()),
        memory(unhealthy={"main-0": Unhealthy("bad", 5)}),
        ["stop main within 5 s: bad"],
    ),
    "a sandbox that is gone is made anew": (
        a_pod(),
        sandbox(exited(code=137), state="gone"),
        memory(),
        ["run sandbox (attempt 1)", "start main (attempt 1)"],
    ),
    "a failed pull shows for a moment": (
        a_pod(),
        sandbox(),
        memory(retries=waits("ErrImagePull", NOW + 10, failed=NOW - 0.5)),
        ["hold main until 1000000.5: ErrImagePull"],
    ),
    "and then as its back-off": (
        a_pod(),
        sandbox(),
        memory(retries=waits("ErrImagePull", NOW + 10)),
        ["hold main until 1000010: ImagePullBackOff"],
    ),
    "a pull is tried again when its back-off is over": (
        a_pod(),
        sandbox(),
        memory(retries=waits("ErrImagePull", NOW - 1)),
        ["start main"],
    ),
    "a start that the runtime does not show yet is not repeated": (
        a_pod(),
        sandbox(),
        memory(launched={"main": 0}),
        ["hold main until 1000001"],
    ),
    "a sandbox that could not be made waits": (
        a_pod(),
        None,
        memory(retries={"": Retry(Reason(""), NOW + 2, NOW)}),
        ["hold pod until 1000002"],
    ),
    "a visitor starts beside what runs": (
        a_pod(ephemeralContainers=[{"name": "debug", "image": "app:1"}]),
        sandbox(running()),
        memory(),
        ["start debug"],
    ),
    "a visitor that left is not called back": (
        a_pod(ephemeralContainers=[{"name": "debug", "image": "app:1"}]),
        sandbox(running(), exited("debug", 1)),
        memory(),
        [],
    ),
    "a deleted pod's container is stopped with its grace": (
        a_pod(meta=DELETED),
        sandbox(running()),
        memory(),
        ["stop main within 30 s: Stopping container main"],
    ),
    "a container that is being stopped is not stopped twice": (
        a_pod(meta=DELETED),
        sandbox(running()),
        memory(stopping={"main-0": 30.0}),
        [],
    ),
    "a shorter grace takes over": (
        a_pod(meta=DELETED | {"deletionGracePeriodSeconds": 0}),
        sandbox(running()),
        memory(stopping={"main-0": 30.0}),
        ["stop main within 1 s: Stopping container main"],
    ),
    "sidecars are stopped after the containers": (
        a_pod(meta=DELETED, **SIDE),
        sandbox(running("proxy"), running("agent"), running()),
        memory(),
        ["stop main within 30 s: Stopping container main"],
    ),
    "the last sidecar first": (
        a_pod(meta=DELETED, **SIDE),
        sandbox(running("proxy"), running("agent"), exited()),
        memory(),
        ["stop agent within 30 s: Stopping container agent"],
    ),
    "a deleted pod whose containers ended loses its sandbox": (
        a_pod(meta=DELETED),
        sandbox(exited()),
        memory(),
        ["stop sandbox"],
    ),
    "a sandbox that is not there any more is stopped all the same, so that nothing of it is left": (
        a_pod(meta=DELETED),
        sandbox(exited(), state="gone"),
        memory(),
        ["stop sandbox"],
    ),
    "the object goes only after the sandbox": (
        a_pod(meta=DELETED),
        sandbox(exited(), state="gone"),
        memory(stopped=True),
        ["tear down", "delete object"],
    ),
    "a deleted pod that never ran goes at once": (
        a_pod(meta=DELETED),
        None,
        Memory(),
        ["tear down", "delete object"],
    ),
    "a pod whose object is gone is stopped and torn down": (
        a_pod(),
        sandbox(exited(), state="gone"),
        memory(removed=True, stopped=True),
        ["tear down"],
    ),
    "an object that stays for its finalizers is not deleted again": (
        a_pod(meta=DELETED),
        None,
        memory(torn_down=True, deleted=True),
        [],
    ),
    "a pod that is evicted has a second left": (
        a_pod(),
        sandbox(running()),
        memory(evicted="too large"),
        ["stop main within 1 s: Stopping container main"],
    ),
    "a pod over its deadline is stopped": (
        a_pod(activeDeadlineSeconds=5, status={"startTime": "1970-01-12T13:46:30Z"}),
        sandbox(running()),
        memory(),
        ["stop main within 30 s: Stopping container main"],
    ),
    "a pod within its deadline is looked at when it is over": (
        a_pod(activeDeadlineSeconds=20, status={"startTime": "1970-01-12T13:46:30Z"}),
        sandbox(running()),
        memory(),
        ["hold pod until 1000010"],
    ),
}


@pytest.mark.parametrize("pod, sandbox, memory, steps", CASES.values(), ids=CASES)
def test_plan(pod, sandbox, memory, steps):
    planned = plan(pod, sandbox, memory, NOW, ends=ending(pod, sandbox, memory, NOW))
    assert [str(step) for step in planned] == steps


def test_the_back_off_doubles_up_to_five_minutes_and_is_forgiven_after_ten():
    back_off, delays = None, []
    for crash in range(8):
        back_off = longer(back_off, NOW + crash)
        delays.append(back_off.delay)
    assert delays == [10, 20, 40, 80, 160, 300, 300, 300]
    assert longer(back_off, NOW + 1000).delay == 10


@pytest.mark.parametrize(
    "seconds, text",
    [(10, "10s"), (160, "2m40s"), (300, "5m0s")],
    ids=["seconds", "minutes and seconds", "five minutes"],
)
def test_a_back_off_is_worded_as_go_does(seconds, text):
    assert duration(seconds) == text
