"""What the containerd runtime writes: archives of images, the network plugin, logs moved away; and what it reads."""

import json
import os
import subprocess

import pytest

from knarr.node.images.layer import digest
from knarr.node.images.store import ImageConfig, ImageStore
from knarr.node.runtimes.containerd import daemon
from knarr.node.runtimes.containerd.export import write_archive
from knarr.node.runtimes.containerd.rotation import rotate
from knarr.node.runtimes.containerd.streams import KILLED, exit_code
from knarr.node.runtimes.runtime import RuntimeFailure

CONFIG = ImageConfig(
    entrypoint=("/bin/app",),
    command=("serve",),
    env=(("A", "1=2"),),
    working_dir="/data",
    user="7:8",
    labels={"l": "v"},
)


def a_layer(folder):
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "app").write_text("#!/bin/sh\n")
    (folder / "bin" / "app").chmod(0o755)
    (folder / "bin" / "link").symlink_to("app")
    os.link(folder / "bin" / "app", folder / "bin" / "same")
    return folder


def test_an_archive_is_read_back_as_the_same_image(tmp_path):
    layers = [a_layer(tmp_path / "one"), tmp_path / "two"]
    (tmp_path / "two" / "etc").mkdir(parents=True)
    names = ["docker.io/library/app:1", "docker.io/library/app:2"]
    write_archive(tmp_path / "image.tar", layers, CONFIG, names)
    store = ImageStore(tmp_path / "store")
    store.load(tmp_path / "image.tar")
    found = store.find("app:2")
    assert found.names == tuple(names)
    fields = ("entrypoint", "command", "env", "working_dir", "user", "labels")
    assert [getattr(found, name) for name in fields] == [getattr(CONFIG, name) for name in fields]
    assert [digest(store.layers / name) for name in found.layers] == [digest(layer) for layer in layers]


@pytest.mark.skipif(os.geteuid() != 0, reason="whiteouts are devices, which only root can make")
def test_what_a_layer_takes_away_stays_away(tmp_path):
    layer = a_layer(tmp_path / "one")
    os.mknod(layer / "gone", 0o600 | 0o020000, os.makedev(0, 0))
    os.setxattr(layer / "bin", "trusted.overlay.opaque", b"y")
    write_archive(tmp_path / "image.tar", [layer], CONFIG, ["docker.io/library/app:1"])
    store = ImageStore(tmp_path / "store")
    (image,) = store.load(tmp_path / "image.tar")
    copy = store.layers / image.layers[0]
    assert (copy / "gone").is_char_device()
    assert os.getxattr(copy / "bin", "trusted.overlay.opaque") == b"y"


def test_equal_images_have_equal_digests(tmp_path):
    layer = a_layer(tmp_path / "one")
    digests = {write_archive(tmp_path / f"{n}.tar", [layer], CONFIG, [f"docker.io/library/app:{n}"]) for n in (1, 2)}
    assert len(digests) == 1


def test_the_network_plugin_answers_what_cri_wants_to_hear(tmp_path):
    def ask(command):
        environment = {"CNI_COMMAND": command, "CNI_IFNAME": "eth0", "CNI_NETNS": "/run/n", "PATH": os.environ["PATH"]}
        done = subprocess.run(["sh", "-c", daemon.PLUGIN], env=environment, capture_output=True, check=True)
        return json.loads(done.stdout or b"{}")

    assert ask("ADD")["interfaces"] == [{"name": "eth0", "sandbox": "/run/n"}]
    assert "0.4.0" in ask("VERSION")["supportedVersions"]
    assert ask("DEL") == {}


def test_a_node_has_short_paths_for_sockets_wherever_its_folder_is(tmp_path):
    places = [daemon.of_node(tmp_path / ("long" * 30) / name) for name in ("knarr-0", "knarr-1")]
    assert all(len(str(place.socket)) < 60 for place in places)
    assert places[0].socket != places[1].socket and places[0].cgroup != places[1].cgroup


def test_a_log_that_has_grown_moves_on_and_the_oldest_goes(tmp_path):
    log = tmp_path / "0.log"
    for text in ("first", "second", "third"):
        log.write_text(text)
        assert rotate(log, size=3, files=3)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"0.log.1": "third", "0.log.2": "second"}


def test_a_small_log_stays_and_one_that_is_gone_is_no_trouble(tmp_path):
    (tmp_path / "0.log").write_text("abc")
    assert not rotate(tmp_path / "0.log", size=3)
    assert not rotate(tmp_path / "1.log")


NON_ZERO = {"causes": [{"reason": "ExitCode", "message": "7"}]}
VERDICTS = {
    "success": ({"status": "Success"}, 0),
    "an exit code": ({"status": "Failure", "reason": "NonZeroExitCode", "details": NON_ZERO}, 7),
    "an exit code that is missing": ({"status": "Failure", "reason": "NonZeroExitCode"}, KILLED),
}


@pytest.mark.parametrize("status, code", VERDICTS.values(), ids=VERDICTS)
def test_how_a_command_ended(status, code):
    assert exit_code(json.dumps(status).encode()) == code


def test_nothing_said_is_taken_for_killed():
    assert exit_code(b"") == KILLED


def test_a_command_that_did_not_start_says_why_once():
    cause = {"message": "error executing command in container: no such file"}
    status = {"status": "Failure", "reason": "InternalError", "message": "long", "details": {"causes": [cause]}}
    with pytest.raises(RuntimeFailure, match=r"^no such file$"):
        exit_code(json.dumps(status).encode())
