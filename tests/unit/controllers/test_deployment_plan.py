"""What one pass over a Deployment does, rule by rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from knarr.controllers import deployment_sets as sets_of
from knarr.controllers.deployment_plan import plan
from knarr.kinds.types.apps_v1 import DeploymentStatus, ReplicaSetStatus
from knarr.kinds.types.core_v1 import Pod, PodStatus
from knarr.kinds.types.meta_v1 import ObjectMeta
from tests.unit.controllers.deployments import a_deployment, a_set, a_template

COMPLETE = DeploymentStatus(observedGeneration=1, replicas=10, updatedReplicas=10, availableReplicas=10)
PAUSED = a_deployment(paused=True)
RECREATE = a_deployment(recreate=True)
STRICT = a_deployment(3, 1, 0)
BACK = sets_of.ROLLBACK


def lines(deployment, sets, pods=None):
    return [shown(step) for step in plan(deployment, sets, pods or {}).steps]


def shown(step):
    """A step's line; a new set's hash is of no interest."""
    line = str(step)
    if not line.startswith("create replicaset web-"):
        return line
    return f"create replicaset of {step.obj.spec.replicas}"


ROLLING = {
    "the first set gets all replicas at once": (a_deployment(), [], ["create replicaset of 10"]),
    "a new set begins with the surge, 25% rounded up": (
        a_deployment(), [a_set("a", 10)], ["create replicaset of 3"],
    ),
    "a new set begins with the surge as a number": (
        a_deployment(surge=4), [a_set("a", 10)], ["create replicaset of 4"],
    ),
    "a new set begins with nothing when there is no surge": (
        a_deployment(surge=0), [a_set("a", 10)], ["create replicaset of 0"],
    ),
    "a new set never begins with more than is wanted": (
        a_deployment(surge="100%"), [a_set("a", 5)], ["create replicaset of 10"],
    ),
    "a new set grows by the room that old ones left below the surge": (
        a_deployment(), [a_set("a", 8), a_set("new", 3)], ["update replicaset web-new: from 3 to 5"],
    ),
    "a new set grows no further than what is wanted": (
        a_deployment(), [a_set("new", 8)], ["update replicaset web-new: from 8 to 10"],
    ),
    "a new set that is too large shrinks at once": (
        a_deployment(), [a_set("new", 12)], ["update replicaset web-new: from 12 to 10"],
    ),
    "old sets shrink to what must be available, 25% rounded down": (
        a_deployment(), [a_set("a", 10), a_set("new", 3, 0)], ["update replicaset web-a: from 10 to 8"],
    ),
    "pods that are on their way out cannot be spared again": (
        a_deployment(unavailable=5), [a_set("a", 5, 10), a_set("new", 8, 2)], ["update replicaset web-a: from 5 to 3"],
    ),
    "old sets shrink by a number of unavailable pods": (
        a_deployment(unavailable=5), [a_set("a", 10), a_set("new", 3, 0)], ["update replicaset web-a: from 10 to 5"],
    ),
    "old sets shrink by what the new one has available": (
        a_deployment(), [a_set("a", 8), a_set("new", 5, 3)], ["update replicaset web-a: from 8 to 5"],
    ),
    "nothing shrinks while the new pods are not available and none may be missing": (
        STRICT, [a_set("a", 3, of=STRICT), a_set("new", 1, 0, of=STRICT)], [],
    ),
    "one old pod goes for each new one that is available when none may be missing": (
        STRICT, [a_set("a", 3, of=STRICT), a_set("new", 1, of=STRICT)], ["update replicaset web-a: from 3 to 2"],
    ),
    "old pods that are not available go first, of whatever set": (
        a_deployment(), [a_set("a", 4, age=1), a_set("b", 6, 4, age=2), a_set("new", 3, 0)],
        ["update replicaset web-b: from 6 to 4"],
    ),
    "the oldest set shrinks first": (
        a_deployment(), [a_set("b", 5, age=2), a_set("a", 5, age=1), a_set("new", 3, 0)],
        ["update replicaset web-a: from 5 to 3"],
    ),
    "what the oldest set cannot give the next one gives": (
        a_deployment(), [a_set("a", 1, age=1), a_set("b", 9, age=2), a_set("new", 3, 0)],
        ["update replicaset web-a: from 1 to 0", "update replicaset web-b: from 9 to 8"],
    ),
    "a new set grows before old ones shrink": (
        a_deployment(), [a_set("a", 5), a_set("new", 5)], ["update replicaset web-new: from 5 to 8"],
    ),
    "percentages that round to nothing leave one that may be missing": (
        a_deployment(3, "0%", "1%"),
        [a_set("a", 3, of=a_deployment(3, "0%", "1%")), a_set("new", 0, of=a_deployment(3, "0%", "1%"))],
        ["update replicaset web-a: from 3 to 2"],
    ),
    "an equal template is the same set, whatever the order of revisions": (
        a_deployment(), [a_set("a", 0, revision=3), a_set("new", 10, revision=9)], [],
    ),
    "of two sets with the template the older is the new one": (
        a_deployment(),
        [a_set("new", 10, age=3), replace(a_set("new", 1), metadata=replace(a_set("a", 1).metadata, name="web-twin"))],
        ["update replicaset web-twin: from 1 to 3"],
    ),
    "a complete rollout has nothing left to do": (a_deployment(status=COMPLETE), [a_set("new", 10)], []),
    "a deployment that is being deleted changes no size": (
        a_deployment(deleting=True), [a_set("a", 10), a_set("new", 3)], [],
    ),
    "minReadySeconds reach the new set": (
        a_deployment(minReadySeconds=5), [a_set("new", 10)], ["update replicaset web-new: annotations"],
    ),
}  # fmt: skip

SCALING = {
    "the only active set takes the whole change": (
        a_deployment(), [a_set("new", 5, desired=5)], ["update replicaset web-new: from 5 to 10"],
    ),
    "the only active set takes it even when a new template waits": (
        a_deployment(), [a_set("a", 5, desired=5)], ["update replicaset web-a: from 5 to 10"],
    ),
    "an only set that has the size already is noted to have it, so that the rollout goes on": (
        a_deployment(), [a_set("a", 10, desired=5)], ["update replicaset web-a: annotations"],
    ),
    "a full new set stays and the old ones go": (
        a_deployment(), [a_set("a", 3, desired=5), a_set("new", 10, desired=10)],
        ["update replicaset web-a: from 3 to 0"],
    ),
    "growth is shared in proportion": (
        a_deployment(15, 3, 2),
        [a_set("a", 8, desired=10, most=13), a_set("new", 5, desired=10, most=13)],
        ["update replicaset web-new: from 5 to 7", "update replicaset web-a: from 8 to 11"],
    ),
    "shrinking is shared in proportion": (
        a_deployment(5, 1, 1),
        [a_set("a", 8, desired=10, most=12), a_set("new", 4, desired=10, most=12)],
        ["update replicaset web-new: from 4 to 2", "update replicaset web-a: from 8 to 4"],
    ),
    "of equal sets the newer grows by what rounding leaves": (
        a_deployment(6, 0, 1),
        [a_set("a", 1, age=1, desired=3, most=3), a_set("b", 1, age=2, desired=3, most=3),
         a_set("c", 1, age=3, desired=3, most=3)],
        ["update replicaset web-a: from 1 to 2", "update replicaset web-b: from 1 to 2",
         "update replicaset web-c: from 1 to 2"],
    ),
    "to nothing everything goes": (
        a_deployment(0), [a_set("a", 8, desired=10), a_set("new", 3, desired=10)],
        ["update replicaset web-new: from 3 to 0", "update replicaset web-a: from 8 to 0"],
    ),
    "with Recreate only a single set is resized": (
        RECREATE, [a_set("a", 3, desired=5, of=RECREATE), a_set("new", 2, desired=5, of=RECREATE)], [],
    ),
}  # fmt: skip

PAUSES = {
    "a paused deployment makes no new set": (PAUSED, [a_set("a", 10)], []),
    "a paused deployment moves no pods between its sets": (PAUSED, [a_set("a", 8), a_set("new", 5)], []),
    "a paused deployment is resized": (
        PAUSED, [a_set("a", 5, desired=5)], ["update replicaset web-a: from 5 to 10"],
    ),
    "a paused deployment does not go back": (
        a_deployment(paused=True, annotations={BACK: "1"}), [a_set("new", 10)], [],
    ),
    "a paused deployment forgets old sets": (
        a_deployment(paused=True, limit=0), [a_set("a", 0), a_set("new", 10)],
        ["delete replicaset web-a: history limit"],
    ),
}  # fmt: skip

POD = Pod(metadata=ObjectMeta(name="p"), status=PodStatus(phase="Running"))
GONE = Pod(metadata=ObjectMeta(name="p"), status=PodStatus(phase="Succeeded"))
RECREATING = {
    "all old sets are emptied at once": (
        RECREATE, [a_set("a", 4, of=RECREATE), a_set("b", 6, of=RECREATE)], {},
        ["update replicaset web-a: from 4 to 0", "update replicaset web-b: from 6 to 0"],
    ),
    "nothing new comes while a set still counts old pods": (RECREATE, [a_set("a", 0, have=1, of=RECREATE)], {}, []),
    "nothing new comes while an old pod runs, be it on its way out": (
        RECREATE, [a_set("a", 0, of=RECREATE)], {"uid-a": [POD]}, [],
    ),
    "pods that ended do not hold it up": (
        RECREATE, [a_set("a", 0, of=RECREATE)], {"uid-a": [GONE]}, ["create replicaset of 10"],
    ),
    "the new set comes whole": (RECREATE, [a_set("a", 0, of=RECREATE)], {}, ["create replicaset of 10"]),
    "a new set of before grows at once": (
        RECREATE, [a_set("a", 0, of=RECREATE), a_set("new", 0, of=RECREATE)], {},
        ["update replicaset web-new: from 0 to 10"],
    ),
}  # fmt: skip

OLD = [a_set("a", 0, revision=1), a_set("b", 0, revision=2), a_set("c", 0, revision=3)]
FULL = [*OLD, a_set("new", 10)]
HISTORY = {
    "sets beyond the limit go, the lowest revisions first": (
        a_deployment(limit=1, status=COMPLETE), FULL,
        ["delete replicaset web-a: history limit", "delete replicaset web-b: history limit"],
    ),
    "a limit of nothing keeps no old set": (
        a_deployment(limit=0, status=COMPLETE), FULL,
        [f"delete replicaset web-{name}: history limit" for name in "abc"],
    ),
    "sets within the limit stay": (a_deployment(limit=3, status=COMPLETE), FULL, []),
    "no limit keeps them all": (a_deployment(limit=None, status=COMPLETE), FULL, []),
    "the largest limit is none": (a_deployment(limit=2**31 - 1, status=COMPLETE), FULL, []),
    "nothing is forgotten before the rollout is complete": (a_deployment(limit=0), FULL, []),
    "a set that still has pods is not forgotten": (
        a_deployment(limit=0, status=COMPLETE), [a_set("a", 0, have=1), a_set("new", 10)], [],
    ),
    "a set whose last change was not seen yet is not forgotten": (
        a_deployment(limit=0, status=COMPLETE), [a_set("a", 0, unobserved=True), a_set("new", 10)], [],
    ),
    "a set that goes already does not count": (
        a_deployment(limit=1, status=COMPLETE),
        [a_set("a", 0, deleting=True, revision=1), a_set("b", 0, revision=2), a_set("new", 10)], [],
    ),
}  # fmt: skip


NOT_FOUND = "event on deployment web: DeploymentRollbackRevisionNotFound: "
ROLLBACKS = {
    "to a revision": ("2", FULL, ["update deployment web: back to revision 2"]),
    "0 means the one before the newest": ("0", FULL, ["update deployment web: back to revision 3"]),
    "with no other revision nothing is found": (
        "0", [a_set("new", 10)], [f"{NOT_FOUND}Unable to find last revision.", "update deployment web"],
    ),
    "to a revision that is gone nothing is found": (
        "7", FULL, [f"{NOT_FOUND}Unable to find the revision to rollback to.", "update deployment web"],
    ),
    "nor to one that never was": (
        "-1", FULL, [f"{NOT_FOUND}Unable to find the revision to rollback to.", "update deployment web"],
    ),
    "to the current template nothing changes": (
        "9", FULL,
        ["event on deployment web: DeploymentRollbackTemplateUnchanged: The rollback revision contains the same "
         'template as current deployment "web"', "update deployment web"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("deployment", "sets", "wanted"), ROLLING.values(), ids=ROLLING)
def test_a_rolling_update(deployment, sets, wanted):
    assert lines(deployment, sets) == wanted


@pytest.mark.parametrize(("deployment", "sets", "wanted"), SCALING.values(), ids=SCALING)
def test_a_change_of_size(deployment, sets, wanted):
    assert sorted(lines(deployment, sets)) == sorted(wanted)


@pytest.mark.parametrize(("deployment", "sets", "wanted"), PAUSES.values(), ids=PAUSES)
def test_a_pause(deployment, sets, wanted):
    assert lines(deployment, sets) == wanted


@pytest.mark.parametrize(("deployment", "sets", "pods", "wanted"), RECREATING.values(), ids=RECREATING)
def test_recreate(deployment, sets, pods, wanted):
    assert lines(deployment, sets, pods) == wanted


@pytest.mark.parametrize(("deployment", "sets", "wanted"), HISTORY.values(), ids=HISTORY)
def test_the_history_limit(deployment, sets, wanted):
    assert lines(deployment, sets) == wanted


@pytest.mark.parametrize("text", ["", "x", "1.5", "٣"])
def test_a_rollback_to_what_is_no_number_is_not_asked_for(text):
    assert lines(a_deployment(annotations={BACK: text}), [a_set("old", 0, revision=1), a_set("new", 10)]) == lines(
        a_deployment(), [a_set("old", 0, revision=1), a_set("new", 10)]
    )


@pytest.mark.parametrize(("asked", "sets", "wanted"), ROLLBACKS.values(), ids=ROLLBACKS)
def test_the_rollback_annotation(asked, sets, wanted):
    deployment = a_deployment(annotations={BACK: asked, "mine": "1"})
    steps = plan(deployment, sets, {}).steps
    assert [str(step) for step in steps] == wanted
    assert BACK not in steps[-1].obj.metadata.annotations, "asked once, answered once"


def test_going_back_takes_the_template_and_the_annotations_of_that_revision():
    sets = [a_set("a", 0, revision=1, annotations={"kubernetes.io/change-cause": "then"}), a_set("new", 10)]
    last = {"kubernetes.io/change-cause": "now", sets_of.LAST_APPLIED: "{}", BACK: "1"}
    (step,) = plan(a_deployment(annotations=last), sets, {}).steps
    assert step.obj.spec.template == a_template("a")
    assert step.obj.metadata.annotations == {"kubernetes.io/change-cause": "then", sets_of.LAST_APPLIED: "{}"}
    assert step.note.done == ("DeploymentRollback", 'Rolled back deployment "web" to revision 1')


class TestWhatIsWrittenOnSets:
    def annotations(self, deployment, sets):
        return plan(deployment, sets, {}).new.metadata.annotations

    def test_the_change_cause_and_others_are_taken_over(self):
        given = {"kubernetes.io/change-cause": "why", sets_of.LAST_APPLIED: "{}", sets_of.REVISION: "4"}
        made = self.annotations(a_deployment(annotations=given), [])
        assert made["kubernetes.io/change-cause"] == "why"
        assert sets_of.LAST_APPLIED not in made
        assert made[sets_of.REVISION] == "1"

    def test_a_new_set_gets_the_next_revision_and_the_size_of_the_whole(self):
        made = self.annotations(a_deployment(), [a_set("a", 10, revision=4)])
        assert (made[sets_of.REVISION], made[sets_of.DESIRED], made[sets_of.MOST]) == ("5", "10", "13")

    def test_a_set_that_is_new_again_gets_the_next_revision_and_keeps_its_history(self):
        sets = [a_set("new", 0, revision=1), a_set("a", 10, revision=2)]
        made = self.annotations(a_deployment(), sets)
        assert (made[sets_of.REVISION], made[sets_of.HISTORY]) == ("3", "1")
        again = [a_set("new", 0, revision=3, annotations={sets_of.HISTORY: "1"}), a_set("a", 10, revision=4)]
        made = self.annotations(a_deployment(), again)
        assert (made[sets_of.REVISION], made[sets_of.HISTORY]) == ("5", "1,3")

    def test_a_history_that_is_too_long_forgets_its_beginning(self):
        former = ",".join(map(str, range(100, 600)))
        longer = sets_of.history(former, "600")
        assert len(longer) <= sets_of.LONGEST_HISTORY
        assert longer.endswith("599,600")

    def test_the_name_the_labels_and_the_selector_have_the_hash(self):
        made = plan(a_deployment(), [], {}).new
        hash_ = made.metadata.labels[sets_of.HASH]
        assert made.metadata.name == f"web-{hash_}"
        assert made.spec.selector.matchLabels == made.spec.template.metadata.labels == {"app": "x", sets_of.HASH: hash_}

    def test_a_collision_gives_another_hash(self):
        counted = a_deployment(status=DeploymentStatus(collisionCount=1))
        assert plan(counted, [], {}).new.metadata.name != plan(a_deployment(), [], {}).new.metadata.name

    def test_steps_tell_of_the_sizes(self):
        (step,) = plan(a_deployment(), [a_set("a", 8), a_set("new", 3)], {}).steps
        assert step.note.done == ("ScalingReplicaSet", "Scaled up replica set web-new from 3 to 5")
        (step,) = plan(a_deployment(surge=0), [a_set("a", 10)], {}).steps
        assert step.note.done is None, "a set of no pods was not scaled"


# Any snapshot

counts = st.integers(0, 12)
share = st.one_of(st.integers(0, 12), st.integers(0, 100).map("{}%".format))


@st.composite
def snapshots(draw):
    replicas = draw(counts)
    surge, unavailable = draw(share), draw(share)
    deployment = a_deployment(replicas, surge, unavailable)
    names = draw(st.sets(st.sampled_from(["a", "b", "c", "new"]), max_size=4))
    sets = []
    for day, name in enumerate(sorted(names), 1):
        size = draw(counts)
        sets.append(a_set(name, size, draw(st.integers(0, size)), of=deployment, age=day, revision=day))
    return deployment, sets


@given(snapshots())
def test_no_pass_exceeds_the_surge_or_goes_below_what_must_be_available(snapshot):
    deployment, sets = snapshot
    after = plan(deployment, sets, {}).sets
    assert sets_of.total(after) <= max(sets_of.most(deployment), sets_of.total(sets))
    staying = {set_.metadata.uid: set_.spec.replicas for set_ in after}
    kept = sum(min(set_.status.availableReplicas or 0, staying[set_.metadata.uid]) for set_ in sets)
    new = next((set_ for set_ in sets if set_.metadata.name == "web-new"), None)
    too_large = max(sets_of.size(new) - sets_of.wanted(deployment), 0) if new else 0
    assert kept >= min(sets_of.least(deployment), sets_of.available(sets)) - too_large


@given(snapshots(), st.randoms(use_true_random=False))
def test_every_rollout_ends_within_its_bounds_whatever_becomes_ready_when(snapshot, chance):
    deployment, sets = snapshot
    for _ in range(400):
        before = sets_of.available(sets)
        made = plan(deployment, sets, {})
        assert sets_of.total(made.sets) <= max(sets_of.most(deployment), sets_of.total(sets))
        if not made.steps and before == sets_of.total(sets):
            break
        sets = [settled(set_, chance) for set_ in made.sets]
        assert sets_of.available(sets) >= min(sets_of.least(deployment), before) - surplus(made.new, deployment)
    assert [(set_.metadata.name, set_.spec.replicas) for set_ in sets if set_.spec.replicas] == [
        (made.new.metadata.name, deployment.spec.replicas)
    ] * bool(deployment.spec.replicas)


def surplus(new, deployment):
    return max((new.status.availableReplicas or 0) - sets_of.wanted(deployment), 0)


def settled(set_, chance):
    """The set as its controller leaves it: as many pods as it is to have, the available ones last to go."""
    size = set_.spec.replicas
    available = min(set_.status.availableReplicas or 0, size)
    available = min(size, available + chance.randint(0, 3))
    meta = replace(set_.metadata, uid=set_.metadata.uid or "uid-new", creationTimestamp="2025-12-31T00:00:00Z")
    meta = meta if not set_.metadata.creationTimestamp else set_.metadata
    return replace(set_, metadata=meta, status=ReplicaSetStatus(replicas=size, availableReplicas=available))


@given(snapshots(), counts)
def test_proportional_scaling_sums_exactly(snapshot, before):
    deployment, sets = snapshot
    living = sets_of.active(sets)
    most = max(before, sets_of.total(living))
    living = [a_set(s.metadata.name[4:], s.spec.replicas, desired=before, most=most) for s in living]
    shared = sets_of.in_proportion(deployment, living)
    wanted = sets_of.most(deployment) if deployment.spec.replicas else 0
    assert all(set_.spec.replicas >= 0 for set_ in shared)
    assert not living or sets_of.total(shared) == wanted
