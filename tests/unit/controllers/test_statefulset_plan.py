"""What one pass over a StatefulSet does, case by case."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from knarr.controllers import statefulset_pods
from knarr.controllers.statefulset_plan import plan
from knarr.controllers.statefulset_status import Revisions, status
from knarr.kinds.statefulset_options import RECOVER
from knarr.kinds.types.apps_v1 import (
    RollingUpdateStatefulSetStrategy,
    StatefulSet,
    StatefulSetOrdinals,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec,
    StatefulSetUpdateStrategy,
)
from knarr.kinds.types.core_v1 import (
    Container,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
    PodTemplateSpec,
    Volume,
)
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta, OwnerReference
from knarr.loop.steps import Create
from knarr.meta import clock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD, BROKEN, NEW = "db-old", "db-broken", "db-new"


def template(image):
    return PodTemplateSpec(
        metadata=ObjectMeta(labels={"app": "x"}), spec=PodSpec(containers=[Container(name="c", image=image)])
    )


STABLE = Revisions(NEW, NEW, {NEW: template("img:2")})
ROLLING = Revisions(OLD, NEW, {OLD: template("img:1"), NEW: template("img:2")})


def a_set(replicas=3, *, start=None, parallel=False, deleting=False, partition=None, most=None, opt=(), **spec):
    claims = [
        PersistentVolumeClaim(metadata=ObjectMeta(name=name), spec=PersistentVolumeClaimSpec())
        for name in spec.pop("claims", ())
    ]
    strategy = StatefulSetUpdateStrategy(
        type=spec.pop("strategy", "RollingUpdate"),
        rollingUpdate=RollingUpdateStatefulSetStrategy(partition=partition, maxUnavailable=most),
    )
    if retention := spec.pop("retention", None):
        spec["persistentVolumeClaimRetentionPolicy"] = StatefulSetPersistentVolumeClaimRetentionPolicy(
            whenDeleted=retention[0], whenScaled=retention[1]
        )
    return StatefulSet(
        metadata=ObjectMeta(
            name="db",
            namespace="n",
            uid="set",
            generation=1,
            deletionTimestamp="2026-01-01T00:00:00Z" * deleting,
            annotations=dict.fromkeys(opt, "true"),
        ),
        spec=StatefulSetSpec(
            replicas=replicas,
            serviceName="svc",
            selector=LabelSelector(matchLabels={"app": "x"}),
            template=template("img:2"),
            podManagementPolicy="Parallel" if parallel else "OrderedReady",
            ordinals=None if start is None else StatefulSetOrdinals(start=start),
            updateStrategy=strategy,
            volumeClaimTemplates=claims,
            **spec,
        ),
    )


def a_pod(ordinal, revision=NEW, *, ready=True, phase="Running", deleting=False, since=3600, name=None, claims=()):
    name = name or f"db-{ordinal}"
    made = statefulset_pods.new_pod(a_set(claims=claims), template("img"), revision, ordinal)
    condition = PodCondition(
        type="Ready",
        status="True" if ready else "False",
        lastTransitionTime=clock.timestamp(NOW - timedelta(seconds=since)),
    )
    meta = replace(
        made.metadata, name=name, uid=f"uid-{name}", deletionTimestamp="2026-01-01T00:00:30Z" if deleting else ""
    )
    return replace(made, metadata=meta, status=PodStatus(phase=phase, conditions=[condition]))


def a_claim(name, *owners, deleting=False):
    return PersistentVolumeClaim(
        metadata=ObjectMeta(
            name=name,
            namespace="n",
            ownerReferences=list(owners),
            deletionTimestamp="2026-01-01T00:00:00Z" if deleting else "",
        )
    )


BY_SET = OwnerReference(
    apiVersion="apps/v1", kind="StatefulSet", name="db", uid="set", controller=True, blockOwnerDeletion=True
)
STRANGER = OwnerReference(apiVersion="v1", kind="Thing", name="t", uid="t", controller=True)


def by_pod(name, uid=None):
    return OwnerReference(
        apiVersion="v1", kind="Pod", name=name, uid=uid or f"uid-{name}", controller=True, blockOwnerDeletion=True
    )


def pods(*ordinals, **given):
    return [a_pod(ordinal, **given) for ordinal in ordinals]


UNLABELED = replace(a_pod(0), metadata=replace(a_pod(0).metadata, labels={"app": "x"}))
WITHOUT_VOLUME = a_pod(0)

#: sentence -> set, pods, claims, revisions, steps
CASES = {
    # creating in order
    "an empty set begins with its first pod": (a_set(), [], [], STABLE, ["create pod db-0"]),
    "the next pod comes once its predecessor is available": (a_set(), pods(0), [], STABLE, ["create pod db-1"]),
    "an unready pod holds back its successors": (
        a_set(), pods(0, ready=False), [], STABLE, ["wait for db-0: not ready"]),
    "a pending pod holds back its successors": (
        a_set(), pods(0, phase="Pending", ready=False), [], STABLE, ["wait for db-0: not ready"]),
    "a terminating pod holds back its successors and its own replacement": (
        a_set(), pods(0, deleting=True), [], STABLE, ["wait for db-0: terminating"]),
    "a hole is filled before what comes after it": (a_set(), pods(0, 2), [], STABLE, ["create pod db-1"]),
    "a hole is not filled while a lower pod is unready": (
        a_set(), [a_pod(0, ready=False), a_pod(2)], [], STABLE, ["wait for db-0: not ready"]),
    "a complete set needs nothing": (a_set(), pods(0, 1, 2), [], STABLE, []),
    "a set without replicas needs nothing": (a_set(0), [], [], STABLE, []),
    "a set that is being deleted is left alone": (a_set(deleting=True), pods(0), [], STABLE, []),
    "ordinals may start anywhere": (a_set(2, start=5), [], [], STABLE, ["create pod db-5"]),
    "ordinals go on from where they start": (a_set(2, start=5), pods(5), [], STABLE, ["create pod db-6"]),
    "moving the start up deletes the pods below it once the others are there": (
        a_set(2, start=1), pods(0, 1, 2), [], STABLE, ["delete pod db-0: scaled down"]),
    "moving the start up first creates what is missing above": (
        a_set(2, start=1), pods(0, 1), [], STABLE, ["create pod db-2"]),
    "a pod without an ordinal in its name is none of the set's": (
        a_set(1), [a_pod(0), a_pod(0, name="db-x")], [], STABLE, []),
    # finished pods
    "a failed pod is deleted before anything else": (
        a_set(), pods(0, phase="Failed", ready=False), [], STABLE, ["delete pod db-0: finished"]),
    "a succeeded pod is deleted too": (
        a_set(), pods(0, phase="Succeeded", ready=False), [], STABLE, ["delete pod db-0: finished"]),
    "a failed pod that is terminating is waited for": (
        a_set(), pods(0, phase="Failed", ready=False, deleting=True), [], STABLE, ["wait for db-0: terminating"]),
    "a failed pod behind an unready one waits its turn": (
        a_set(), [a_pod(0, ready=False), a_pod(1, phase="Failed", ready=False)], [], STABLE,
        ["wait for db-0: not ready"]),
    "a parallel set deletes every failed pod and creates every missing one": (
        a_set(parallel=True), [a_pod(0, phase="Failed", ready=False)], [], STABLE,
        ["delete pod db-0: finished", "create pod db-1", "create pod db-2"]),
    # minReadySeconds
    "a ready pod holds back its successors until it is available": (
        a_set(minReadySeconds=60), pods(0, since=30), [], STABLE, ["wait for db-0: not available yet"]),
    "a pod ready for long enough lets the next one come": (
        a_set(minReadySeconds=60), pods(0, since=60), [], STABLE, ["create pod db-1"]),
    "an update waits until the pod before is available": (
        a_set(2, minReadySeconds=60), [a_pod(0, OLD), a_pod(1, since=30)], [], ROLLING,
        ["wait for db-1: not available yet"]),
    # parallel
    "a parallel set creates all its pods at once": (
        a_set(parallel=True), [], [], STABLE, ["create pod db-0", "create pod db-1", "create pod db-2"]),
    "a parallel set waits for nobody": (
        a_set(parallel=True), pods(0, ready=False), [], STABLE,
        ["wait for db-0: not ready", "create pod db-1", "create pod db-2"]),
    "a parallel set does not replace a terminating pod before it is gone": (
        a_set(1, parallel=True), pods(0, deleting=True), [], STABLE, ["wait for db-0: terminating"]),
    "a parallel set shrinks at once": (
        a_set(1, parallel=True), pods(0, 1, 2), [], STABLE,
        ["delete pod db-2: scaled down", "delete pod db-1: scaled down"]),
    "a parallel set shrinks past terminating and unready pods": (
        a_set(1, parallel=True), [a_pod(0), a_pod(1, ready=False), a_pod(2, deleting=True)], [], STABLE,
        ["wait for db-2: terminating", "delete pod db-1: scaled down"]),
    # shrinking in order
    "an ordered set shrinks from the highest ordinal, one at a time": (
        a_set(1), pods(0, 1, 2), [], STABLE, ["delete pod db-2: scaled down"]),
    "the next one goes only when the one before is gone": (
        a_set(1), [a_pod(0), a_pod(1), a_pod(2, deleting=True)], [], STABLE, ["wait for db-2: terminating"]),
    "nothing is deleted while a pod that stays is unready": (
        a_set(1), [a_pod(0, ready=False), a_pod(1), a_pod(2)], [], STABLE, ["wait for db-0: not ready"]),
    "nothing is deleted while a pod that stays is missing": (a_set(1), pods(1), [], STABLE, ["create pod db-0"]),
    "an unready surplus pod goes when nothing below it is unavailable": (
        a_set(1), [a_pod(0), a_pod(1), a_pod(2, ready=False)], [], STABLE, ["delete pod db-2: scaled down"]),
    "an unready surplus pod waits for an unready one below it": (
        a_set(1), [a_pod(0), a_pod(1, ready=False), a_pod(2, ready=False)], [], STABLE,
        ["wait for db-1: unavailable, before the set can shrink"]),
    "a ready surplus pod goes though one below it is unready": (
        a_set(1), [a_pod(0), a_pod(1, ready=False), a_pod(2)], [], STABLE, ["delete pod db-2: scaled down"]),
    "a set is shrunk to nothing from the top": (a_set(0), pods(0, 1), [], STABLE, ["delete pod db-1: scaled down"]),
    "a surplus pod that is ready but not available waits for one below it": (
        a_set(1, minReadySeconds=60), [a_pod(0), a_pod(1, since=5), a_pod(2, since=5)], [], STABLE,
        ["wait for db-1: unavailable, before the set can shrink"]),
    "finished surplus pods go one after the other": (
        a_set(1), [a_pod(0), a_pod(1, phase="Failed", ready=False), a_pod(2, phase="Succeeded", ready=False)], [],
        STABLE, ["delete pod db-2: scaled down"]),
    "nobody waits for a finished surplus pod": (
        a_set(1), [a_pod(0), a_pod(1, phase="Failed", ready=False), a_pod(2, ready=False)], [], STABLE,
        ["delete pod db-2: scaled down"]),
    "a finished surplus pod that is terminating is waited for": (
        a_set(1), [a_pod(0), a_pod(1, ready=False), a_pod(2, phase="Failed", ready=False, deleting=True)], [], STABLE,
        ["wait for db-2: terminating"]),
    # rolling
    "an update replaces the highest ordinal first": (
        a_set(), pods(0, 1, 2, revision=OLD), [], ROLLING, ["delete pod db-2: outdated"]),
    "an update waits for the replacement to be gone": (
        a_set(), [a_pod(0, OLD), a_pod(1, OLD), a_pod(2, OLD, deleting=True)], [], ROLLING,
        ["wait for db-2: terminating"]),
    "an update creates the replacement": (a_set(), pods(0, 1, revision=OLD), [], ROLLING, ["create pod db-2"]),
    "an update goes on once the replacement is available": (
        a_set(), [a_pod(0, OLD), a_pod(1, OLD), a_pod(2)], [], ROLLING, ["delete pod db-1: outdated"]),
    "a broken image stops the update": (
        a_set(), [a_pod(0, OLD), a_pod(1, OLD), a_pod(2, ready=False)], [], ROLLING, ["wait for db-2: not ready"]),
    "a broken pod is not replaced when the template is mended": (
        a_set(1), [a_pod(0, OLD, ready=False)], [], ROLLING, ["wait for db-0: not ready"]),
    "a broken pod is replaced when the template is mended and the set opted in": (
        a_set(opt=[RECOVER]), [a_pod(0, OLD), a_pod(1, OLD), a_pod(2, BROKEN, ready=False)], [], ROLLING,
        ["delete pod db-2: outdated, and not ready"]),
    "the first of broken pods is replaced first": (
        a_set(2, opt=[RECOVER]), pods(0, 1, revision=BROKEN, ready=False), [], ROLLING,
        ["delete pod db-0: outdated, and not ready"]),
    "recovery leaves a pod that is on its way out": (
        a_set(1, opt=[RECOVER]), pods(0, revision=BROKEN, ready=False, deleting=True), [], ROLLING,
        ["wait for db-0: terminating"]),
    "recovery leaves an updated pod that is not ready": (
        a_set(1, opt=[RECOVER]), pods(0, ready=False), [], ROLLING, ["wait for db-0: not ready"]),
    "recovery leaves a ready pod its turn": (
        a_set(opt=[RECOVER], minReadySeconds=60), [a_pod(0, OLD, since=5), a_pod(1, OLD), a_pod(2, OLD)], [], ROLLING,
        ["wait for db-0: not available yet"]),
    "recovery stops at the partition": (
        a_set(2, opt=[RECOVER], partition=1), [a_pod(0, OLD, ready=False), a_pod(1)], [], ROLLING,
        ["wait for db-0: not ready"]),
    "recovery is no business of OnDelete": (
        a_set(1, opt=[RECOVER], strategy="OnDelete"), pods(0, revision=OLD, ready=False), [], ROLLING,
        ["wait for db-0: not ready"]),
    "recovery changes nothing for a parallel set, which replaces broken pods anyway": (
        a_set(1, opt=[RECOVER], parallel=True), pods(0, revision=OLD, ready=False), [], ROLLING,
        ["wait for db-0: not ready", "delete pod db-0: outdated"]),
    "an update is complete when no pod is outdated": (a_set(), pods(0, 1, 2), [], ROLLING, []),
    "shrinking goes before updating": (
        a_set(2), pods(0, 1, 2, revision=OLD), [], ROLLING, ["delete pod db-2: scaled down"]),
    "growing goes before updating": (a_set(3), pods(0, 1, revision=OLD), [], ROLLING, ["create pod db-2"]),
    "pods below the partition keep their revision": (
        a_set(partition=2), [a_pod(0, OLD), a_pod(1, OLD), a_pod(2)], [], ROLLING, []),
    "pods from the partition on are updated": (
        a_set(partition=1), [a_pod(0, OLD), a_pod(1, OLD), a_pod(2)], [], ROLLING, ["delete pod db-1: outdated"]),
    "a partition above all ordinals holds the update back": (
        a_set(partition=9), pods(0, 1, 2, revision=OLD), [], ROLLING, []),
    "the partition counts from the first ordinal": (
        a_set(2, start=5, partition=1), pods(5, 6, revision=OLD), [], ROLLING, ["delete pod db-6: outdated"]),
    "OnDelete leaves outdated pods": (
        a_set(strategy="OnDelete"), pods(0, 1, 2, revision=OLD), [], ROLLING, []),
    "OnDelete creates a deleted pod": (
        a_set(strategy="OnDelete"), pods(0, 1, revision=OLD), [], ROLLING, ["create pod db-2"]),
    # maxUnavailable
    "an update may have more than one pod down": (
        a_set(most=2), pods(0, 1, 2, revision=OLD), [], ROLLING,
        ["delete pod db-2: outdated", "delete pod db-1: outdated"]),
    "a percentage rounds down": (
        a_set(4, most="60%"), pods(0, 1, 2, 3, revision=OLD), [], ROLLING,
        ["delete pod db-3: outdated", "delete pod db-2: outdated"]),
    "a percentage means at least one": (
        a_set(most="10%"), pods(0, 1, 2, revision=OLD), [], ROLLING, ["delete pod db-2: outdated"]),
    "more than all means all": (
        a_set(2, most=9), pods(0, 1, revision=OLD), [], ROLLING,
        ["delete pod db-1: outdated", "delete pod db-0: outdated"]),
    "the partition bounds what may be down": (
        a_set(most=3, partition=2), pods(0, 1, 2, revision=OLD), [], ROLLING, ["delete pod db-2: outdated"]),
    "an ordered update waits for all that it took down": (
        a_set(most=2), [a_pod(0, OLD), a_pod(1, OLD, deleting=True), a_pod(2, OLD, deleting=True)], [], ROLLING,
        ["wait for db-1: terminating"]),
    "a parallel update takes down one at a time": (
        a_set(parallel=True), pods(0, 1, 2, revision=OLD), [], ROLLING, ["delete pod db-2: outdated"]),
    "a parallel update keeps to its budget": (
        a_set(parallel=True, most=2), [a_pod(0, OLD), a_pod(1, OLD), a_pod(2, ready=False)], [], ROLLING,
        ["wait for db-2: not ready", "delete pod db-1: outdated"]),
    "a parallel update with no budget left waits": (
        a_set(parallel=True), [a_pod(0, OLD), a_pod(1, OLD), a_pod(2, ready=False)], [], ROLLING,
        ["wait for db-2: not ready", "wait for db-2: unavailable, before the update can go on"]),
    "a parallel update replaces every broken outdated pod": (
        a_set(parallel=True), pods(0, 1, 2, revision=OLD, ready=False), [], ROLLING,
        ["wait for db-0: not ready", "wait for db-1: not ready", "wait for db-2: not ready",
         "delete pod db-2: outdated", "delete pod db-1: outdated", "delete pod db-0: outdated"]),
    "a parallel update takes the broken pods first and nothing beyond its budget": (
        a_set(parallel=True), [a_pod(0, OLD, ready=False), a_pod(1, OLD), a_pod(2, OLD)], [], ROLLING,
        ["wait for db-0: not ready", "delete pod db-0: outdated"]),
    "a parallel update leaves broken pods below the partition": (
        a_set(2, parallel=True, partition=1), [a_pod(0, OLD, ready=False), a_pod(1)], [], ROLLING,
        ["wait for db-0: not ready"]),
    # claims
    "claims are created before the pod that uses them": (
        a_set(claims=["d", "e"]), [], [], STABLE,
        ["create persistentvolumeclaim d-db-0", "create persistentvolumeclaim e-db-0", "create pod db-0"]),
    "claims that are there already are used again": (
        a_set(claims=["d"]), [], [a_claim("d-db-0")], STABLE, ["create pod db-0"]),
    "a pod waits for a claim of its name to be gone": (
        a_set(claims=["d"]), [], [a_claim("d-db-0", deleting=True)], STABLE,
        ["event on statefulset db: FailedCreate: Create Pod db-0 in StatefulSet db failed error: "
         "pvc d-db-0 is being deleted", "wait for d-db-0: being deleted"]),
    "a pending pod gets a claim that was lost": (
        a_set(1, claims=["d"]), pods(0, phase="Pending", ready=False, claims=["d"]), [], STABLE,
        ["create persistentvolumeclaim d-db-0", "wait for db-0: not ready"]),
    "a running pod's lost claim is not made again": (
        a_set(1, claims=["d"]), pods(0, claims=["d"]), [], STABLE, []),
    # identity and storage
    "a pod without its name as a label gets it": (a_set(1), [UNLABELED], [], STABLE,
        ["update pod db-0", "delete pod db-0: outdated"]),
    "a pod without its claim's volume gets claim and volume": (
        a_set(1, claims=["d"]), [WITHOUT_VOLUME], [], STABLE,
        ["create persistentvolumeclaim d-db-0", "update pod db-0"]),
    # retention
    "claims are nobody's when they are retained": (
        a_set(1, claims=["d"]), pods(0, claims=["d"]), [a_claim("d-db-0")], STABLE, []),
    "claims that go with the set are the set's": (
        a_set(1, claims=["d"], retention=("Delete", "Retain")), pods(0, claims=["d"]), [a_claim("d-db-0")], STABLE,
        ["update persistentvolumeclaim d-db-0: retention policy"]),
    "claims that are the set's already need nothing": (
        a_set(1, claims=["d"], retention=("Delete", "Retain")), pods(0, claims=["d"]), [a_claim("d-db-0", BY_SET)],
        STABLE, []),
    "claims are freed when the policy becomes Retain": (
        a_set(1, claims=["d"]), pods(0, claims=["d"]), [a_claim("d-db-0", BY_SET)], STABLE,
        ["update persistentvolumeclaim d-db-0: retention policy"]),
    "claims of a surplus pod become the pod's before it goes": (
        a_set(0, claims=["d"], retention=("Retain", "Delete")), pods(0, claims=["d"]), [a_claim("d-db-0")], STABLE,
        ["update persistentvolumeclaim d-db-0: retention policy", "delete pod db-0: scaled down"]),
    "claims of a pod that stays are not the pod's": (
        a_set(1, claims=["d"], retention=("Retain", "Delete")), pods(0, claims=["d"]),
        [a_claim("d-db-0", by_pod("db-0"))], STABLE, ["update persistentvolumeclaim d-db-0: retention policy"]),
    "claims that somebody else controls are left to them": (
        a_set(1, claims=["d"], retention=("Delete", "Retain")), pods(0, claims=["d"]), [a_claim("d-db-0", STRANGER)],
        STABLE, []),
    "a set gives up claims that somebody else controls": (
        a_set(1, claims=["d"], retention=("Delete", "Retain")), pods(0, claims=["d"]),
        [a_claim("d-db-0", BY_SET, STRANGER)], STABLE, ["update persistentvolumeclaim d-db-0: retention policy"]),
    "a pod is not created while its claims go with the pod before": (
        a_set(1, claims=["d"], retention=("Retain", "Delete")), [], [a_claim("d-db-0", by_pod("db-0", "earlier"))],
        STABLE, ["wait for db-0: its claims go with the pod of its name before"]),
}  # fmt: skip


@pytest.mark.parametrize(("set_", "pods", "claims", "revisions", "steps"), CASES.values(), ids=CASES)
def test_plan(set_, pods, claims, revisions, steps):
    by_name = {claim.metadata.name: claim for claim in claims}
    assert [str(step) for step in plan(set_, pods, by_name, revisions, NOW)] == steps


def test_a_finished_pod_that_is_held_is_waited_for_with_all_that_come_after():
    until = NOW + timedelta(seconds=8)
    steps = plan(a_set(), pods(0, phase="Failed", ready=False), {}, STABLE, NOW, {"db-0": until})
    assert [str(step) for step in steps] == ["wait for db-0: its pods end soon after they are made"]
    assert steps[0].until == until


REVISION_CASES = {
    "a rolling set creates at the update revision": (a_set(1), NEW, "img:2"),
    "below the partition a pod comes back at the current revision": (a_set(1, partition=1), OLD, "img:1"),
    "OnDelete creates at the update revision": (a_set(1, strategy="OnDelete", partition=1), NEW, "img:2"),
}


@pytest.mark.parametrize(("set_", "revision", "image"), REVISION_CASES.values(), ids=REVISION_CASES)
def test_created_revision(set_, revision, image):
    [step] = plan(set_, [], {}, ROLLING, NOW)
    assert isinstance(step, Create)
    assert step.obj.metadata.labels["controller-revision-hash"] == revision
    assert step.obj.spec.containers[0].image == image


def test_a_new_pod_has_its_identity_and_storage():
    pod = statefulset_pods.new_pod(a_set(claims=["d"]), template("img"), NEW, 1)
    assert pod.metadata.labels == {
        "app": "x",
        "controller-revision-hash": NEW,
        "statefulset.kubernetes.io/pod-name": "db-1",
        "apps.kubernetes.io/pod-index": "1",
    }
    assert (pod.metadata.name, pod.metadata.namespace, pod.spec.hostname, pod.spec.subdomain) == (
        "db-1", "n", "db-1", "svc")  # fmt: skip
    assert pod.metadata.ownerReferences == [BY_SET]
    assert [(v.name, v.persistentVolumeClaim.claimName) for v in pod.spec.volumes] == [("d", "d-db-1")]


def test_a_claim_template_takes_the_place_of_a_volume_of_its_name():
    pod = Pod(metadata=ObjectMeta(name="db-0"), spec=PodSpec(volumes=[Volume(name="d"), Volume(name="other")]))
    volumes = statefulset_pods.with_storage(a_set(claims=["d"]), pod).spec.volumes
    assert [(v.name, v.persistentVolumeClaim is not None) for v in volumes] == [("d", True), ("other", False)]


#: set, pods, revisions -> replicas, ready, available, current, updated, current revision
STATUS_CASES = {
    "nothing yet": (a_set(), [], STABLE, (0, None, 0, None, None, NEW)),
    "all there": (a_set(), pods(0, 1, 2), STABLE, (3, 3, 3, 3, 3, NEW)),
    "a terminating pod is a replica, and ready, but of no revision": (
        a_set(), [a_pod(0), a_pod(1, deleting=True), a_pod(2)], STABLE, (3, 3, 3, 2, 2, NEW)),
    "an update half-way": (
        a_set(), [a_pod(0, OLD), a_pod(1, OLD), a_pod(2)], ROLLING, (3, 3, 3, 2, 1, OLD)),
    "a complete update makes its revision the current one": (
        a_set(), pods(0, 1, 2), ROLLING, (3, 3, 3, 3, 3, NEW)),
    "an update with an unready pod is not complete": (
        a_set(), [a_pod(0), a_pod(1), a_pod(2, ready=False)], ROLLING, (3, 2, 2, None, 3, OLD)),
    "OnDelete never completes": (
        a_set(strategy="OnDelete"), pods(0, 1, 2), ROLLING, (3, 3, 3, None, 3, OLD)),
    "a surplus pod keeps an update from being complete": (
        a_set(2), pods(0, 1, 2), ROLLING, (3, 3, 3, None, 3, OLD)),
    "a ready pod is available only after minReadySeconds": (
        a_set(minReadySeconds=60), [a_pod(0), a_pod(1, since=10)], STABLE, (2, 2, 1, 2, 2, NEW)),
    "a pending pod is a replica": (
        a_set(), pods(0, phase="Pending", ready=False), STABLE, (1, None, 0, 1, 1, NEW)),
}  # fmt: skip


@pytest.mark.parametrize(("set_", "pods", "revisions", "counts"), STATUS_CASES.values(), ids=STATUS_CASES)
def test_status(set_, pods, revisions, counts):
    got = status(set_, pods, revisions, NOW)
    assert (
        got.replicas, got.readyReplicas, got.availableReplicas, got.currentReplicas, got.updatedReplicas,
        got.currentRevision) == counts  # fmt: skip
    assert (got.updateRevision, got.observedGeneration, got.collisionCount) == (NEW, 1, 0)


@pytest.mark.parametrize(
    ("name", "found"),
    {"db-0": ("db", 0), "a-b-12": ("a-b", 12), "db": ("", -1), "db-x": ("", -1), "db-99999999999": ("", -1)}.items(),
)
def test_parent_and_ordinal(name, found):
    assert statefulset_pods.parent_and_ordinal(name) == found
