import pytest
from msgspec.structs import replace

from knarr.kinds.types.apps_v1 import ControllerRevision
from knarr.kinds.types.core_v1 import Container, PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop import revisions
from knarr.testing.builders import a_set
from knarr.testing.cluster import Cluster
from knarr.testing.virtual_time import run

#: the template of the recorded stories, as the server fills it in
TEMPLATE = PodTemplateSpec(
    metadata=ObjectMeta(labels={"app": "x"}),
    spec=PodSpec(
        containers=[
            Container(
                name="c",
                image="img:1",
                imagePullPolicy="IfNotPresent",
                resources=ResourceRequirements(),
                terminationMessagePath="/dev/termination-log",
                terminationMessagePolicy="File",
            )
        ],
        dnsPolicy="ClusterFirst",
        restartPolicy="Always",
        schedulerName="default-scheduler",
        securityContext=PodSecurityContext(),
        terminationGracePeriodSeconds=0,
    ),
)


def a_revision(number, name="", data=None, **labels):
    metadata = ObjectMeta(name=name or f"db-{number}", namespace="default", labels=labels)
    return ControllerRevision(metadata=metadata, data=data or {"n": number}, revision=number)


def test_the_name_is_the_one_that_upstream_gave():
    made = revisions.new_revision(
        a_set("db"), revisions.template_patch(TEMPLATE), 1, 0, labels=TEMPLATE.metadata.labels
    )
    assert made.metadata.name == "db-b46d4fcb7"
    assert made.metadata.labels == {"app": "x", "controller.kubernetes.io/hash": "b46d4fcb7"}


HASHES = {
    "characters that Go escapes": ({"a": "<b> & \u2028"}, {"a": "<b>"}),
    "letters beyond ASCII": ({"a": "ü"}, {"a": "u"}),
}


@pytest.mark.parametrize("one, other", HASHES.values(), ids=HASHES)
def test_different_data_have_different_hashes(one, other):
    assert revisions.revision_hash(one, 0) != revisions.revision_hash(other, 0)
    assert revisions.revision_hash(one, 0) == revisions.revision_hash(dict(one), 0)


def test_a_collision_changes_the_hash():
    assert revisions.revision_hash({"a": 1}, 0) != revisions.revision_hash({"a": 1}, 1)


def test_a_long_name_leaves_room_for_the_hash():
    assert len(revisions.revision_name("n" * 250, "0123456789")) == 234


def test_the_order_of_keys_does_not_matter():
    assert revisions.revision_hash({"a": 1, "b": 2}, 0) == revisions.revision_hash({"b": 2, "a": 1}, 0)


def test_history_is_ordered_by_number_then_age_then_name():
    history = [a_revision(3), a_revision(1, "b"), a_revision(1, "a"), a_revision(2)]
    assert [found.metadata.name for found in revisions.ordered(history)] == ["a", "b", "db-2", "db-3"]


@pytest.mark.parametrize("numbers, following", [([], 1), ([1, 7, 3], 8)], ids=["no history", "a gap"])
def test_the_next_number_is_beyond_all(numbers, following):
    assert revisions.next_number(map(a_revision, numbers)) == following


EQUAL = {
    "same data": (a_revision(1, data={"a": 1}), a_revision(2, data={"a": 1}), True),
    "other data": (a_revision(1, data={"a": 1}), a_revision(2, data={"a": 2}), False),
    "same data under other hashes": (
        a_revision(1, data={"a": 1}, **{revisions.HASH_LABEL: "x"}),
        a_revision(1, data={"a": 1}, **{revisions.HASH_LABEL: "y"}),
        False,
    ),
}


@pytest.mark.parametrize("one, other, equal", EQUAL.values(), ids=EQUAL)
def test_equality(one, other, equal):
    assert revisions.equal(one, other) is equal
    assert bool(revisions.equal_to(one, [other])) is equal


SURPLUS = {
    "the oldest beyond the limit": ([1, 2, 3, 4], ["db-4"], 2, ["db-1"]),
    "never what something lives on": ([1, 2, 3, 4], ["db-1", "db-4"], 0, ["db-2", "db-3"]),
    "nothing within the limit": ([1, 2], ["db-2"], 10, []),
}


@pytest.mark.parametrize("numbers, live, limit, gone", SURPLUS.values(), ids=SURPLUS)
def test_surplus(numbers, live, limit, gone):
    found = revisions.surplus([a_revision(number) for number in numbers], live, limit)
    assert [revision.metadata.name for revision in found] == gone


def test_a_taken_name_is_used_for_equal_data_and_counted_for_other():
    async def main():
        async with Cluster([]) as cluster:
            wanted = revisions.new_revision(a_set("db"), {"n": 1}, 1, 0, labels={})
            first, collisions = await revisions.create_revision(cluster.api, wanted, 0)
            again, _ = await revisions.create_revision(cluster.api, wanted, 0)
            assert (first.metadata.uid, collisions) == (again.metadata.uid, 0)
            squatter = replace(
                wanted,
                data={"n": 2},
                metadata=replace(wanted.metadata, name=f"db-{revisions.revision_hash({'n': 3}, 0)}"),
            )
            await cluster.api.create(squatter)
            made, collisions = await revisions.create_revision(cluster.api, replace(wanted, data={"n": 3}), 0)
            assert (made.metadata.name, collisions) == (f"db-{revisions.revision_hash({'n': 3}, 1)}", 1)

    run(main())


def test_an_old_revision_becomes_the_newest():
    async def main():
        async with Cluster([]) as cluster:
            made = await cluster.api.create(revisions.new_revision(a_set("db"), {"n": 1}, 1, 0, labels={}))
            assert (await revisions.renumber(cluster.api, made, 5)).revision == 5
            assert await revisions.renumber(cluster.api, made, 1) == made

    run(main())
