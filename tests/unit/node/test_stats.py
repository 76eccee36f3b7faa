"""What pods use, from what runtimes count; and loads that simulated pods share."""

import pytest

from knarr.kinds.types.core_v1 import Container, ResourceRequirements
from knarr.meta import durations
from knarr.node.runtimes.runtime import ContainerState, PodSandbox, Used
from knarr.node.runtimes.sandbox import usage
from knarr.node.simulation.load import cores, share, spread
from knarr.node.stats import Count, Rate, rates, summary
from knarr.testing.builders import a_pod, a_set

BEFORE = Count(100.0, {"a": Used(10, cpu_seconds=5.0)})
#: sentence -> the count before, the count now, what is used
RATES = {
    "CPU is what was spent since the count before": (
        BEFORE, Count(110.0, {"a": Used(20, cpu_seconds=8.0)}), {"a": Rate(0.3, 20, 10.0)},
    ),
    "of a new container since its start": (
        BEFORE, Count(110.0, {"b": Used(20, cpu_seconds=1.0)}), {"b": Rate(0.25, 20, 4.0)},
    ),
    "without a count before too": (None, Count(110.0, {"b": Used(20, cpu_seconds=1.0)}), {"b": Rate(0.25, 20, 4.0)}),
    "a count that went back is none": (
        BEFORE, Count(110.0, {"a": Used(20, cpu_seconds=1.0)}), {"a": Rate(0.0, 20, 10.0)},
    ),
    "what a runtime knows itself is taken as it is": (
        None, Count(110.0, {"a": Used(20, cpu=0.5)}), {"a": Rate(0.5, 20, 15.0)},
    ),
    "of a container that began this moment nothing is known": (None, Count(106.0, {"b": Used(20)}), {}),
}  # fmt: skip


@pytest.mark.parametrize("before, now, used", RATES.values(), ids=RATES)
def test_rates(before, now, used):
    assert rates(before, now, {"a": 90.0, "b": 106.0}) == used


def test_a_summary_adds_up_and_leaves_out_what_is_not_known():
    states = [
        ContainerState(id=name, name=name, attempt=0, image="i", image_id="i", state="running", started=60.0)
        for name in ("a", "b")
    ]
    sandbox = PodSandbox("u", "web", "default", "10.0.0.1", "ready", 50.0, tuple(states))
    found = summary("n", {"u": sandbox}, {"a": Rate(0.5, 1000.0, 15.0)}, 120.0)
    assert found["node"]["cpu"] == {
        "time": "1970-01-01T00:02:00Z",
        "usageNanoCores": 500_000_000,
        "windowSeconds": 15.0,
    }
    first, second = found["pods"][0]["containers"]
    assert first["memory"]["workingSetBytes"] == 1000
    assert "cpu" not in second


def a_process(proc, pid, namespace, upper, ticks, pages):
    folder = proc / str(pid)
    (folder / "ns").mkdir(parents=True)
    (folder / "ns/mnt").symlink_to(f"mnt:[{namespace}]")
    root = f"1 0 0:1 / / rw - overlay overlay rw,lowerdir=/,upperdir={upper},workdir=/w\n"
    (folder / "mountinfo").write_text(root)
    times = " ".join(["0"] * 11 + [str(ticks), "0", "0", "0"])
    (folder / "stat").write_text(f"{pid} (a (strange) name) {times}\n".replace(") 0 ", ") S ", 1))
    (folder / "statm").write_text(f"9 {pages} 1 1 0 1 0\n")


def test_processes_count_for_the_container_whose_files_they_see(tmp_path):
    one, other = "a" * 64, "b" * 64
    a_process(tmp_path, 1, 10, f"/pods/u/{one}/upper", usage.TICKS, 1)
    a_process(tmp_path, 2, 10, f"/pods/u/{one}/upper", usage.TICKS, 2)
    a_process(tmp_path, 3, 11, f"/pods/u/{other}/upper", usage.TICKS, 4)
    a_process(tmp_path, 4, 12, "/somewhere/else", usage.TICKS, 8)
    (tmp_path / "5").mkdir()  # it has just ended
    assert usage.usage({one}, tmp_path) == {one: Used(3 * usage.PAGE, 2.0)}


def an_owner(load):
    return a_set(meta={"annotations": {"knarr.dev/simulated-load": load} if load is not None else {}})


@pytest.mark.parametrize(("load", "found"), [("2", 2.0), ("250m", 0.25), (None, None), ("much", None)])
def test_the_load_of_an_owner(load, found):
    assert cores(an_owner(load)) == found


def test_ready_pods_share_a_load_and_others_have_none_of_it():
    assert share(3.0, a_pod(0), 2) == 1.5
    assert share(3.0, a_pod(1, ready=False), 2) == 0.0


def test_no_container_takes_more_than_its_limit():
    limited = Container(name="a", resources=ResourceRequirements(limits={"cpu": "100m"}))
    assert spread(1.0, [limited, Container(name="b")]) == {"a": 0.1, "b": 0.5}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15s", 15.0), ("1m30s", 90.0), ("1h0m0s", 3600.0), ("250ms", 0.25), ("1.5s", 1.5), ("0s", 0.0)],
)
def test_durations_are_those_of_go(text, seconds):
    assert durations.seconds_of(text) == seconds
    assert durations.shown(seconds) == text


@pytest.mark.parametrize("text", ["", "15", "s", "1 s", "-1s", "1m x"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is no duration"):
        durations.seconds_of(text)
