"""What the sandbox runtime makes of the records that it finds, of those too that a power cut left half written."""

import json
import subprocess

import pytest

from knarr.node.images.store import ImageStore
from knarr.node.runtimes.runtime import SandboxSpec
from knarr.node.runtimes.sandbox import cleaning, host
from knarr.node.runtimes.sandbox.pod import BOOT, record, shim_of, started, unknown
from knarr.node.runtimes.sandbox.runtime import SandboxRuntime


class Wires:
    """A network that remembers whose wires were taken."""

    address = "172.30.0.10"

    def __init__(self):
        self.taken = {"u": "10.244.0.7", "nobody": "10.244.0.8"}

    async def add_pod(self, uid, network):
        raise AssertionError("nothing is started here")

    async def remove_pod(self, uid):
        self.taken.pop(uid, None)

    async def pods(self):
        return dict(self.taken)


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Begin on what a folder of sandboxes holds: the pods, the network, and the runtime."""
    monkeypatch.setattr(host, "control_groups", list)

    async def begin():
        wires = Wires()
        runtime = SandboxRuntime(cleaning.sandboxes(tmp_path), ImageStore(tmp_path / "images"), wires)
        await runtime.start()
        return await runtime.pods(), wires, runtime

    return begin


def a_container(name="c", state="running"):
    return {
        "name": name, "attempt": 0, "image": "app", "image_id": "x", "state": state, "created": 1.0, "started": 2.0,
        "finished": 0.0, "exit_code": 0, "signal": 0, "reason": "", "message": "", "log_path": "",
    }  # fmt: skip


def lay_down(tmp_path, pod, state):
    folder = cleaning.sandboxes(tmp_path) / "u"
    (folder / "c1").mkdir(parents=True)
    (folder / "pod.json").write_text(pod)
    (folder / "c1" / "state.json").write_text(state)
    (folder / "c1" / "config.json").write_text("")
    return folder


@pytest.fixture
def stranger():
    """Somebody else's process, as a record of an earlier boot may name it."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield {"pid": process.pid, "born": started(process.pid)}
        assert process.poll() is None
        process.kill()


def named(stranger, boot):
    return json.dumps(stranger | {"pause": stranger["pid"], "pause_born": stranger["born"], "boot": boot})


async def test_after_a_reboot_pods_are_known_to_be_gone_and_their_containers_killed(found, tmp_path, stranger):
    about = record(SandboxSpec(uid="u", name="db-0", namespace="ns", hostname="db-0", log_directory=tmp_path))
    folder = lay_down(tmp_path, json.dumps(about | {"ready": True, "ip": "10.244.0.7"}), json.dumps(a_container()))
    (folder / "shim.json").write_text(named(stranger, "an earlier one"))
    (pod,), wires, _ = await found()
    assert (pod.name, pod.state, [(each.state, each.exit_code) for each in pod.containers]) == (
        "db-0",
        "gone",
        [("exited", 137)],
    )
    assert wires.taken == {}
    assert not (folder / "shim.json").exists()


@pytest.mark.parametrize("text", ["", '{"uid": "u", "na'])
async def test_a_pod_whose_record_is_half_written_can_be_run_anew_or_removed(found, tmp_path, text):
    folder = lay_down(tmp_path, text, text)
    (pod,), _, runtime = await found()
    assert (pod.uid, pod.name, pod.state, pod.containers) == ("u", "", "gone", ())
    await runtime.remove_pod("u")
    assert not folder.exists()
    assert await runtime.pods() == []


def test_processes_of_an_earlier_boot_are_nobodys(tmp_path, stranger):
    for boot, known in (("an earlier one", False), (BOOT, True)):
        (tmp_path / "shim.json").write_text(named(stranger, boot))
        assert (shim_of(tmp_path) is not None) is known
    (tmp_path / "shim.json").write_text("")
    assert shim_of(tmp_path) is None


def test_a_pod_of_which_nothing_can_be_read_may_have_had_the_hosts_processes():
    assert unknown("u1")["host_pid"]
