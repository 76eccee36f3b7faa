"""Random lives of a whole cluster: every invariant holds at every write, and all comes to rest as it is wanted."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from knarr.app.cli import root
from knarr.testing.sim.life import live
from knarr.testing.sim.schedule import FAULTS, parse
from knarr.testing.workloads.draw import draw
from knarr.testing.workloads.operations import OPERATIONS

SAVED = sorted((Path(__file__).parent / "seeds").glob("*.txt"))


@pytest.mark.parametrize("seed", range(25))
def test_every_invariant_holds(seed):
    assert live(seed, draw(seed)).breach is None


@pytest.mark.parametrize("path", SAVED, ids=[path.stem for path in SAVED])
def test_what_broke_once_holds(path):
    acts = parse(path.read_text(), {**FAULTS, **OPERATIONS})
    assert live(0, acts).breach is None


def test_the_same_seed_is_the_same_life():
    first, second = live(5, draw(5)), live(5, draw(5))
    assert first.writes == second.writes
    assert (first.revisions, first.virtual) == (second.revisions, second.virtual)


def test_the_command_says_that_all_held():
    done = CliRunner().invoke(root, ["sim", "--seeds", "1", "--jobs", "1", "--workloads", "replicaset"])
    assert (done.exit_code, done.stdout.splitlines()[-1][:31]) == (0, "1 lives, every invariant held  ")


def test_the_command_shows_the_shortest_history_of_a_breach_and_how_to_see_it_again(monkeypatch, tmp_path):
    monkeypatch.setattr("knarr.loop.replication.wanted", lambda owner: 1 + owner.spec.replicas)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(root, ["sim", "--seed", "1", "--workloads", "replicaset", "--faults", "none"])
    assert done.exit_code == 1
    assert "seed 1 breaks an invariant\na ReplicaSet keeps its number: " in done.stdout
    assert "again: knarr sim --seed 1 --schedule knarr-sim-1.txt" in done.stdout
    again = CliRunner().invoke(root, ["sim", "--seed", "1", "--schedule", "knarr-sim-1.txt"])
    assert again.exit_code == 1
    schedule = (tmp_path / "knarr-sim-1.txt").read_text().splitlines()
    assert [line.split()[1] for line in schedule] == ["create"]


def test_the_command_refuses_what_it_does_not_know():
    done = CliRunner().invoke(root, ["sim", "--workloads", "pod"])
    assert done.exit_code == 1
    assert str(done.exception).startswith("'pod' is no workload; there are statefulset, ")


def test_the_command_names_the_line_of_a_schedule_that_is_wrong(tmp_path):
    file = tmp_path / "life.txt"
    file.write_text("1 cut job\n2 explode job\n")
    done = CliRunner().invoke(root, ["sim", "--schedule", str(file)])
    assert done.exit_code == 1
    assert "line 2: 'explode' is no verb" in str(done.exception)
