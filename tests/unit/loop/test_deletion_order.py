"""Which of too many pods go first: one rule a case, each decided by that rule alone."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from knarr.kinds.types.core_v1 import Container, ContainerStatus, PodCondition
from knarr.loop.deletion_order import COST, deletion_cost, deletion_order
from knarr.testing.builders import a_pod

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pod(name, *, node="n", phase="Running", ready=True, cost=None, since="2025-12-31T00:00:00Z", restarts=0, uid="",
        created="2025-12-31T00:00:00Z", sidecar=None):  # fmt: skip
    annotations = {} if cost is None else {COST: cost}
    made = a_pod(
        name, node=node, phase=phase, ready=ready, uid=uid,
        meta={"annotations": annotations, "creationTimestamp": created},
    )  # fmt: skip
    conditions = [PodCondition(type="Ready", status="True", lastTransitionTime=since)] if ready else []
    beside = [Container(name="s", image="i", restartPolicy="Always")] if sidecar is not None else []
    status = replace(
        made.status,
        conditions=conditions,
        containerStatuses=[ContainerStatus(name="c", restartCount=restarts)],
        initContainerStatuses=[ContainerStatus(name="s", restartCount=sidecar)] if sidecar is not None else [],
    )
    return replace(made, spec=replace(made.spec, initContainers=beside), status=status)


CASES = {
    "without a node before with one": (pod("first", node=""), pod("last")),
    "without a node, be it cheap, before with one": (pod("first", node="", cost="9"), pod("last", cost="0")),
    "pending before unknown": (pod("first", phase="Pending", ready=False), pod("last", phase="Unknown", ready=False)),
    "unknown before running": (pod("first", phase="Unknown", ready=False), pod("last", ready=False)),
    "unready before ready": (pod("first", ready=False, cost="9"), pod("last")),
    "cheaper before dearer": (pod("first", cost="-1"), pod("last")),
    "cheaper before the fuller node": (pod("first", cost="1", node="empty"), pod("last", cost="2")),
    "ready for less long, by orders of magnitude": (pod("first", since="2025-12-31T23:00:00Z"), pod("last")),
    "more restarts before fewer": (pod("first", restarts=3), pod("last", restarts=2)),
    "more restarts beside it": (pod("first", restarts=1, sidecar=5), pod("last", restarts=1, sidecar=4)),
    "younger before older": (pod("first", created="2025-12-31T23:59:00Z"), pod("last")),
    "of about one age the uids decide": (
        pod("first", uid="1", created="2025-12-31T00:00:01Z"), pod("last", uid="2"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("first", "last"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("turned", [False, True], ids=["as given", "turned round"])
def test_order(first, last, turned):
    pods = [last, first] if turned else [first, last]
    assert [each.metadata.name for each in deletion_order(pods, pods, NOW)] == ["first", "last"]


def test_the_fuller_node_gives_first_counting_the_pods_of_related_sets():
    mine = [pod("here", node="a"), pod("there", node="b")]
    others = [pod(f"o{number}", node="b") for number in range(2)]
    assert [each.metadata.name for each in deletion_order(mine, [*mine, *others], NOW)] == ["there", "here"]


def test_pods_that_ended_make_no_node_fuller():
    mine = [pod("there", node="b"), pod("here", node="a", cost="0")]
    ended = [pod(f"o{number}", node="a", phase="Succeeded", ready=False) for number in range(3)]
    more = [*mine, *ended, pod("x", node="b")]
    assert deletion_order(mine, more, NOW)[0].metadata.name == "there"


COSTS = {"": 0, "7": 7, "-7": -7, "+7": 0, "007": 0, "0": 0, "x": 0, "2147483647": 2**31 - 1, "2147483648": 0,
         "-2147483648": -(2**31), "1.5": 0}  # fmt: skip


@pytest.mark.parametrize(("text", "cost"), COSTS.items(), ids=COSTS)
def test_a_cost_is_a_32_bit_number_or_nothing(text, cost):
    assert deletion_cost(pod("p", cost=text)) == cost
