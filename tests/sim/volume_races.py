"""Claims and volumes that race for each other while the binder fails: one seed, one life.

    python -m tests.sim.volume_races --seeds 1000 [--jobs 2]
    python -m tests.sim.volume_races --seed 42

A life draws claims that want the same volumes and volumes that would do for the same claims, by size, class, name and
reference; users delete and re-create them under the same names; the binder loses requests and answers, works from stale
caches, is refused and dies between its writes. In every third life the volumes lie on nodes, or are made, and claims
wait for pods: then the scheduler races and fails too. Every write is held to `knarr.testing.invariants.volumes`.
"""

import argparse
import asyncio
import logging
import multiprocessing
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from knarr.client.transport import TransportError
from knarr.kinds.types.core_v1 import (
    Container,
    Event,
    LocalVolumeSource,
    NFSVolumeSource,
    Node,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    ObjectReference,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeSpec,
    Pod,
    PodSpec,
    Volume,
    VolumeNodeAffinity,
    VolumeResourceRequirements,
)
from knarr.kinds.types.meta_v1 import LabelSelector, ObjectMeta
from knarr.kinds.types.storage_v1 import StorageClass
from knarr.kinds.volume_binding import NO_PROVISIONER
from knarr.meta.errors import ApiError
from knarr.testing import virtual_time
from knarr.testing.invariants.table import RULES
from knarr.testing.invariants.volumes import one_claim, unsettled
from knarr.testing.sim.arena import Arena
from knarr.testing.sim.schedule import Act
from knarr.testing.virtual_time import wait_until
from knarr.testing.workloads.draw import fault

SPACE, SPAN = "default", 40.0  #: where claims are, and the seconds in which everything is begun
NAMES = 3  #: claims, and volumes, that there may be at a time
VERBS = ("claim", "claim", "volume", "volume", "drop-claim", "drop-volume", "unref")
NODES, LATE = 2, "late"
FAULTS = ("errors", "drop", "lose", "slow", "stale", "cut", "expire", "crash", "crash")
QUIET, BACK_OFF, PATIENCE = 60.0, 1100.0, 4 * 3600.0  #: seconds
ALL_RULES = {**RULES, "a volume has one claim": one_claim}


@dataclass(frozen=True)
class Deed:
    """What a user does at a moment: `verb` to the object `number`."""

    when: float
    verb: str
    number: int
    seed: int

    def __str__(self) -> str:
        return f"{self.when:.3f} {self.verb} {self.number}"


@dataclass(frozen=True)
class Race:
    """What became of a seed; `said` is "" when all held."""

    seed: int
    said: str
    bound: int
    waiting: int
    deeds: tuple[str, ...] = ()


def drawn(rng: random.Random, placed: bool) -> tuple[list[Deed], list[Act]]:
    """What users do, and what fails; `placed`: there are pods, and volumes of nodes."""
    start = rng.choice((("claim", "claim", "volume"), ("volume", "volume", "claim"), ("claim", "volume") * 2))
    deeds = [Deed(rng.choice((0.0, 0.0, 0.001, 1.0)), verb, n % NAMES, rng.random()) for n, verb in enumerate(start)]
    for _ in range(rng.randint(2, 14 if placed else 10)):
        verb = rng.choice((*VERBS, "pod", "pod", "pod", "drop-pod") if placed else VERBS)
        deeds.append(Deed(round(rng.random() * SPAN, 3), verb, rng.randrange(NAMES), rng.random()))
    times = [deed.when for deed in deeds]
    parts = ("volumes", "scheduler") if placed else ("volumes",)
    faults = [befalling(rng, times, rng.choice(parts)) for _ in range(rng.choice((0, 1, 2, 3, 5)))]
    return sorted(deeds, key=lambda deed: deed.when), sorted(faults, key=lambda act: act.when)


def befalling(rng: random.Random, times: list[float], part: str) -> Act:
    """A fault of the binder or the scheduler, most often just before a user does something."""
    act = fault(rng, rng.choice(FAULTS), [part], times)
    given = dict(act.given)
    if act.verb == "stale":
        given["of"] = rng.choice(("persistentvolumes", "persistentvolumeclaims"))
        if rng.random() < 0.3:
            del given["of"]
    return Act(act.when, act.verb, act.subject if act.subject == "server" else part, tuple(given.items()))


def a_claim(number: int, rng: random.Random, placed: bool) -> PersistentVolumeClaim:
    if placed:
        return PersistentVolumeClaim(
            metadata=ObjectMeta(name=f"c{number}", namespace=SPACE),
            spec=PersistentVolumeClaimSpec(
                accessModes=["ReadWriteOnce"],
                storageClassName=rng.choice((LATE, LATE, "local-path")),
                resources=VolumeResourceRequirements(requests={"storage": "1Gi"}),
            ),
        )
    named = rng.random() < 0.2
    return PersistentVolumeClaim(
        metadata=ObjectMeta(name=f"c{number}", namespace=SPACE),
        spec=PersistentVolumeClaimSpec(
            accessModes=[rng.choice(("ReadWriteOnce", "ReadWriteOnce", "ReadWriteMany"))],
            storageClassName="",
            volumeName=f"v{rng.randrange(NAMES)}" if named else "",
            selector=LabelSelector(matchLabels={"disk": "ssd"}) if rng.random() < 0.15 and not named else None,
            resources=VolumeResourceRequirements(requests={"storage": rng.choice(("1Gi", "1Gi", "2Gi"))}),
        ),
    )


def a_volume(number: int, rng: random.Random, placed: bool) -> PersistentVolume:
    if placed:
        here = NodeSelectorRequirement(
            key="kubernetes.io/hostname", operator="In", values=[f"node-{rng.randrange(NODES)}"]
        )
        term = NodeSelectorTerm(matchExpressions=[here])
        return PersistentVolume(
            metadata=ObjectMeta(name=f"v{number}"),
            spec=PersistentVolumeSpec(
                accessModes=["ReadWriteOnce"],
                capacity={"storage": rng.choice(("1Gi", "2Gi"))},
                local=LocalVolumeSource(path=f"/data/v{number}"),
                nodeAffinity=VolumeNodeAffinity(required=NodeSelector(nodeSelectorTerms=[term])),
                persistentVolumeReclaimPolicy="Retain",
                storageClassName=LATE,
            ),
        )
    ref = ObjectReference(namespace=SPACE, name=f"c{rng.randrange(NAMES)}") if rng.random() < 0.2 else None
    return PersistentVolume(
        metadata=ObjectMeta(name=f"v{number}", labels={"disk": rng.choice(("ssd", "hdd"))}),
        spec=PersistentVolumeSpec(
            accessModes=["ReadWriteOnce", *rng.choice(((), ("ReadWriteMany",)))],
            capacity={"storage": rng.choice(("1Gi", "2Gi"))},
            claimRef=ref,
            persistentVolumeReclaimPolicy=rng.choice(("Retain", "Retain", "Delete")),
            nfs=NFSVolumeSource(server="storage", path=f"/data/v{number}"),
        ),
    )


def a_pod(number: int, rng: random.Random) -> Pod:
    claim = PersistentVolumeClaimVolumeSource(claimName=f"c{rng.randrange(NAMES)}")
    return Pod(
        metadata=ObjectMeta(name=f"p{number}", namespace=SPACE),
        spec=PodSpec(
            containers=[Container(name="c", image="image")],
            terminationGracePeriodSeconds=1,
            volumes=[Volume(name="v", persistentVolumeClaim=claim)],
        ),
    )


async def do(arena: Arena, deed: Deed, placed: bool) -> None:
    """Do it; what the server refuses is not done."""
    rng, api = random.Random(deed.seed), arena.api
    try:
        match deed.verb:
            case "claim":
                await api.create(a_claim(deed.number, rng, placed))
            case "volume":
                await api.create(a_volume(deed.number, rng, placed))
            case "pod":
                await api.create(a_pod(deed.number, rng))
            case "drop-pod":
                await api.delete(Pod, f"p{deed.number}", SPACE)
            case "drop-claim":
                await api.delete(PersistentVolumeClaim, f"c{deed.number}", SPACE)
            case "drop-volume":
                await api.delete(PersistentVolume, f"v{deed.number}")
            case "unref":
                found = await api.get(PersistentVolume, f"v{deed.number}")
                if found.status.phase in ("Released", "Failed"):
                    meta = {"resourceVersion": found.metadata.resourceVersion}
                    patch = {"metadata": meta, "spec": {"claimRef": None}}
                    await api.patch(PersistentVolume, found.metadata.name, "", patch)
    except (ApiError, TransportError):
        return


async def _race(seed: int) -> Race:
    rng = random.Random(f"race {seed}")
    placed = seed % 3 == 2
    deeds, faults = drawn(rng, placed)
    loop = asyncio.get_running_loop()
    async with Arena(seed, NODES if placed else 0, ("volumes",), ALL_RULES) as arena:
        if placed:
            await arena.api.create(late_class())
            await wait_until(lambda: len(arena.world.all(Node)) == NODES, timeout=60)
        for each in sorted([*deeds, *faults], key=lambda each: each.when):
            await asyncio.sleep(max(0.0, each.when - loop.time()))
            await (do(arena, each, placed) if isinstance(each, Deed) else arena.do(each))
        await asyncio.sleep(max((act.when + act.number("for") + act.number("down") for act in faults), default=0.0))
        await arena.heal()
        if not await arena.quiet(QUIET, PATIENCE):
            arena.fail("claims and volumes come to rest", "they do not")
        if any(unsettled(arena.world)):
            await arena.quiet(BACK_OFF, PATIENCE)
        for said in unsettled(arena.world):
            arena.fail("claims and volumes end as they are to", said)
        claims = arena.world.all(PersistentVolumeClaim)
        if not faults and not placed:
            for said in await untold(arena, claims):
                arena.fail("who waits is told why", said)
        bound = sum(claim.status.phase == "Bound" for claim in claims)
        said = str(arena.breach or "")
        return Race(seed, said, bound, len(claims) - bound, tuple(map(str, (*deeds, *faults))) if said else ())


async def untold(arena: Arena, claims: list[PersistentVolumeClaim]) -> list[str]:
    """The claims that wait, for volumes that are there, without an event that says why."""
    told = {event.involvedObject.uid for event in (await arena.api.list(Event)).items}
    return [
        f"claim {claim.metadata.name} is {claim.status.phase} without a word"
        for claim in claims
        if claim.status.phase != "Bound"
        and claim.metadata.uid not in told
        and (not claim.spec.volumeName or arena.world.get(PersistentVolume, "", claim.spec.volumeName) is not None)
    ]


def late_class() -> StorageClass:
    meta = ObjectMeta(name=LATE)
    return StorageClass(metadata=meta, provisioner=NO_PROVISIONER, volumeBindingMode="WaitForFirstConsumer")


def race(seed: int) -> Race:
    """Live through one seed, on virtual time."""
    logging.getLogger("knarr").propagate = False
    return virtual_time.run(_race(seed), seed=seed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    seeds = range(given.seeds) if given.seed is None else [given.seed]
    broken, bound, waiting = 0, 0, 0
    with ProcessPoolExecutor(given.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for number, each in enumerate(pool.map(race, seeds, chunksize=5), 1):
            bound, waiting = bound + each.bound, waiting + each.waiting
            if each.said:
                broken += 1
                print(f"seed {each.seed}: {each.said}\n  " + "\n  ".join(each.deeds), flush=True)
            if number % 100 == 0:
                print(f"{number} races, {broken} broken", file=sys.stderr, flush=True)
    print(f"{len(seeds)} races: {bound} claims bound, {waiting} waiting, {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
