"""Processes that no namespace takes with it are found, and only those."""

import json
import os
import signal
import subprocess
from pathlib import Path

from knarr.node.runtimes.sandbox import leftovers
from knarr.node.runtimes.sandbox.shim import killing
from knarr.node.runtimes.sandbox.shim.cgroup import Group


def test_those_that_descend_are_found_with_their_children():
    with subprocess.Popen(["sh", "-c", "sleep 971 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout
        child = int(shell.stdout.readline())
        assert {shell.pid, child} <= {*killing.descendants()}
        assert os.getppid() not in killing.descendants()
        os.kill(child, signal.SIGKILL)
    assert not {shell.pid, child} & {*killing.descendants()}


def test_what_is_found_is_killed_until_nothing_is():
    sleepers = [subprocess.Popen(["sleep", "972"]) for _ in range(2)]
    left = [sleepers, sleepers[:1], []]
    killing.kill_all(lambda: [each.pid for each in left.pop(0)])
    assert [each.wait(60) for each in sleepers] == [-signal.SIGKILL] * 2


def test_members_of_a_group_are_those_of_groups_below_too(tmp_path):
    group = Group([str(tmp_path)], "id")
    (tmp_path / "id" / "cgroup.procs").write_text("7\n0\n")
    (tmp_path / "id" / "own").mkdir()
    (tmp_path / "id" / "own" / "cgroup.procs").write_text("8\n")
    assert group.members() == {7, 8}


def test_what_a_killed_shim_left_is_known_by_its_group(tmp_path, monkeypatch):
    left, other = (subprocess.Popen(["sleep", "973"]) for _ in range(2))
    groups = tmp_path / "groups"
    (groups / "c1").mkdir(parents=True)
    (groups / "c1" / "cgroup.procs").write_text(f"{left.pid}\n")
    (tmp_path / "pod" / "c1").mkdir(parents=True)
    (tmp_path / "pod" / "c1" / "config.json").write_text(json.dumps({"id": "c1", "groups_of_control": [str(groups)]}))
    members = leftovers._members  # the kernel takes the dead out of this file

    def living(containers: dict[str, list[Path]]) -> list[int]:
        return [pid for pid in members(containers) if left.poll() is None]

    monkeypatch.setattr(leftovers, "_members", living)
    leftovers.end(tmp_path / "pod")
    assert (left.wait(60), other.poll()) == (-signal.SIGKILL, None)
    other.kill()
    other.wait()


def test_a_pod_without_containers_leaves_nothing(tmp_path):
    leftovers.end(tmp_path)
