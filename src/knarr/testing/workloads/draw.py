"""A random life, from its seed: which workloads, what users do to them, and what fails. Pure."""

import random
from collections.abc import Callable, Mapping, Sequence

from knarr.testing.sim.schedule import FAULTS, Act, in_order
from knarr.testing.workloads.crowds import crowds
from knarr.testing.workloads.objects import TYPES
from knarr.testing.workloads.options import opting
from knarr.testing.workloads.outages import outages

NODES = 3
SPAN = 240.0  #: seconds in which everything is begun
LARGEST = 4  #: replicas

#: which components a workload's life depends on
PARTS_OF: Mapping[str, tuple[str, ...]] = {
    "statefulset": ("statefulset", "volumes"),
    "deployment": ("deployment", "replicaset"),
    "daemonset": ("daemonset",),
    "replicaset": ("replicaset",),
    "replicationcontroller": ("replicationcontroller",),
    "job": ("job",),
    "cronjob": ("cronjob", "job"),
}
PARTS_FOR: Mapping[str, tuple[str, ...]] = {  #: and on what else users ask for
    "protect": ("disruption",),
    "autoscale": ("autoscaler",),
    "limit": ("quota",),
    "expose": ("endpoints",),
}
ALWAYS = ("collector", "nodes", "scheduler")  #: run whatever the workloads
SCALED = ("statefulset", "deployment", "replicaset", "replicationcontroller")  #: have replicas
KINDS = ("statefulset", "statefulset", "deployment", "deployment", "daemonset", "replicaset", "job", "job", "cronjob")


def draw(seed: int, kinds: Sequence[str] = (), faults: Sequence[str] = tuple(FAULTS)) -> list[Act]:
    """The acts of a seed; `kinds` and `faults` are those to choose from."""
    rng = random.Random(f"life {seed}")
    allowed = [kind for kind in KINDS if kind in kinds] if kinds else list(KINDS)
    allowed += [kind for kind in kinds if kind not in allowed]
    chosen = [rng.choice(allowed) for _ in range(rng.choice((1, 1, 2, 3)))]
    acts: list[Act] = []
    for number, kind in enumerate(chosen):
        acts += workload(rng, kind, f"{kind[0]}{number}")
    if rng.random() < 0.15:
        acts.append(at(rng, "limit", "quota/most", pods=rng.randint(2, 8)))
    for _ in range(rng.choice((0, 0, 1, 2))):
        acts.append(at(rng, rng.choice(("cordon", "uncordon", "label", "remove-node", "drain")), node(rng)))
    acts = [act if act.verb != "label" else Act(act.when, act.verb, act.subject, (("value", "a"),)) for act in acts]
    if faults:
        own = sorted({part for kind in chosen for part in PARTS_OF[kind]} | asked(acts))
        parts = [*own * 3, *ALWAYS]
        times = [act.when for act in acts]
        acts += [fault(rng, rng.choice(list(faults)), parts, times) for _ in range(rng.randint(1, 7))]
    sets = sorted({act.subject for act in acts if act.subject.startswith("statefulset/")})
    nodes = [f"node-{number}" for number in range(NODES)]
    acts += outages(seed, sets, nodes, SPAN, faults) + crowds(seed, nodes, SPAN)
    return in_order(opting(seed, acts))


def asked(acts: Sequence[Act]) -> set[str]:
    """The components that serve what users ask for beside their workloads."""
    return {part for act in acts for part in PARTS_FOR.get(act.verb, ())}


def moment(rng: random.Random) -> float:
    return round(rng.random() * rng.random() * SPAN, 3)


def at(rng: random.Random, verb: str, subject: str, **given: object) -> Act:
    return Act(moment(rng), verb, subject, pairs(given))


def pairs(given: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in given.items() if value not in ("", None))


def node(rng: random.Random) -> str:
    return f"node-{rng.randrange(NODES)}"


# Workloads


def workload(rng: random.Random, kind: str, name: str) -> list[Act]:
    """The life of one workload: it is created, then things happen to it."""
    subject = f"{kind}/{name}"
    first = round(rng.random() * 5, 3)
    acts = [Act(first, "create", subject, pairs(MADE[kind](rng)))]
    acts += [happening(rng, kind, subject) for _ in range(rng.randint(1, 6))]
    acts += around(rng, kind, subject)
    if rng.random() < 0.3:
        gone = round(first + rng.random() * SPAN, 3)
        acts.append(Act(gone, "delete", subject, pairs({"propagation": rng.choice(PROPAGATIONS)})))
        if rng.random() < 0.6:
            back = round(gone + rng.choice((0.0, 0.02, 1, 20)), 3)
            kept = {"claim": acts[0].get("claim"), "mode": acts[0].get("mode")}  # pods that stay must fit
            acts.append(Act(back, "create", subject, pairs({**MADE[kind](rng), **kept})))
    return acts


def around(rng: random.Random, kind: str, subject: str) -> list[Act]:
    """What users give a workload that serves: a budget and evictions, a service, an autoscaler and its load."""
    acts: list[Act] = []
    if kind not in SCALED:
        return acts
    if rng.random() < 0.25:
        acts.append(
            at(rng, "protect", subject, **rng.choice(({"least": 1}, {"least": 2}, {"down": 1}, {"down": "50%"})))
        )
        acts += [at(rng, "evict", subject, number=rng.randrange(6)) for _ in range(rng.randint(1, 4))]
    if rng.random() < 0.2:
        acts.append(at(rng, "expose", subject))
    if rng.random() < 0.15:
        acts.append(at(rng, "autoscale", subject, least=rng.randint(1, 2), most=rng.randint(2, 5), percent=50))
        acts += [at(rng, "load", subject, cores=rng.choice(("10m", "100m", "300m"))) for _ in range(rng.randint(1, 3))]
    return acts


PROPAGATIONS = ("Background", "Foreground", "Orphan")

HAPPENINGS: Mapping[str, tuple[str, ...]] = {
    "statefulset": ("scale", "scale", "roll", "roll", "hold", "delete-pod", "fail-pod", "let-go"),
    "deployment": ("scale", "scale", "roll", "roll", "roll", "pause", "resume", "delete-pod", "fail-pod", "let-go"),
    "daemonset": ("roll", "roll", "delete-pod", "fail-pod", "let-go"),
    "replicaset": ("scale", "scale", "delete-pod", "fail-pod", "let-go"),
    "replicationcontroller": ("scale", "scale", "delete-pod", "fail-pod", "let-go"),
    "job": ("parallel", "pause", "resume", "delete-pod", "fail-pod", "let-go"),
    "cronjob": ("pause", "resume"),
}


def happening(rng: random.Random, kind: str, subject: str) -> Act:
    verb = rng.choice(HAPPENINGS[kind])
    given: dict[str, object] = {}
    match verb:
        case "scale":
            given = {"replicas": rng.randint(0, LARGEST)}
        case "roll":
            given = {"image": rng.randint(1, 3)}
        case "hold":
            given = {"partition": rng.randint(0, 3)}
        case "parallel":
            given = {"to": rng.randint(0, LARGEST)}
        case "delete-pod" | "fail-pod" | "let-go":
            given = {"number": rng.randrange(6)}
            if verb == "delete-pod" and rng.random() < 0.2:
                given["force"] = "true"
    return at(rng, verb, subject, **given)


def a_statefulset(rng: random.Random) -> Mapping[str, object]:
    return {
        "replicas": rng.randint(0, LARGEST),
        "policy": rng.choice(("OrderedReady", "OrderedReady", "Parallel")),
        "update": rng.choice(("RollingUpdate", "RollingUpdate", "RollingUpdate", "OnDelete")),
        "claim": rng.choice(("", "", "Retain", "Delete")),
        "start": rng.choice(("", "", "", 2)),
        "settle": rng.choice((0, 0, 0, 5)),
        "down": rng.choice(("", "", "", 2, "50%")),
        "cpu": "100m",
    }


def a_deployment(rng: random.Random) -> Mapping[str, object]:
    surge, down = rng.choice((("25%", "25%"), (1, 0), (0, 1), (2, 1), ("50%", "50%")))
    return {
        "replicas": rng.randint(0, LARGEST),
        "update": rng.choice(("RollingUpdate", "RollingUpdate", "RollingUpdate", "Recreate")),
        "surge": surge,
        "down": down,
        "settle": rng.choice((0, 0, 0, 5)),
        "cpu": "100m",
    }


def a_daemonset(rng: random.Random) -> Mapping[str, object]:
    surge, down = rng.choice(((0, 1), (0, 2), (1, 0)))
    update = rng.choice(("RollingUpdate", "RollingUpdate", "OnDelete"))
    return {"update": update, "surge": surge, "down": down}


def a_replicaset(rng: random.Random) -> Mapping[str, object]:
    return {"replicas": rng.randint(0, LARGEST), "settle": rng.choice((0, 0, 5)), "cpu": "100m"}


def a_job(rng: random.Random) -> Mapping[str, object]:
    return {
        "parallelism": rng.randint(1, LARGEST),
        "completions": rng.randint(1, 6),
        "mode": rng.choice(("NonIndexed", "NonIndexed", "Indexed")),
        "lasts": rng.choice((1, 5, 20)),
        "code": rng.choice((0, 0, 0, 1)),
        "ttl": rng.choice(("", "", 30)),
        "replacement": rng.choice(("", "", "Failed")),
    }


def a_cronjob(rng: random.Random) -> Mapping[str, object]:
    return {
        "parallelism": 1,
        "completions": rng.randint(1, 2),
        "lasts": rng.choice((5, 90)),
        "concurrency": rng.choice(("Allow", "Forbid", "Replace")),
    }


MADE: Mapping[str, Callable[[random.Random], Mapping[str, object]]] = {
    "statefulset": a_statefulset,
    "deployment": a_deployment,
    "daemonset": a_daemonset,
    "replicaset": a_replicaset,
    "replicationcontroller": a_replicaset,
    "job": a_job,
    "cronjob": a_cronjob,
}
assert MADE.keys() == TYPES.keys()


# Faults


def fault(rng: random.Random, verb: str, parts: Sequence[str], times: Sequence[float]) -> Act:
    """One fault of somebody that matters to the workloads, most often just before a user does something."""
    near = max(0.0, round(rng.choice(times) - rng.choice((0.0, 0.01, 1.0)), 3))
    when = near if rng.random() < 0.7 else moment(rng)
    part = node(rng) if rng.random() < 0.2 else rng.choice(parts)
    lasting = rng.choice((1, 5, 20, 60))
    given: dict[str, object] = {}
    match verb:
        case "errors":
            given = {"code": rng.choice((409, 429, 500, 503)), "rate": rng.choice((0.1, 0.5, 0.9)), "for": lasting}
        case "drop" | "lose":
            given = {"rate": rng.choice((0.1, 0.5)), "for": lasting}
        case "slow":
            given = {"seconds": rng.choice((0.1, 1, 5)), "for": lasting}
        case "stale":
            given = {"seconds": rng.choice((0.05, 1, 10)), "for": lasting}
            given["of"] = rng.choice(("", "pods", "pods", "replicasets", "jobs"))
        case "crash":
            part = "server" if rng.random() < 0.15 else part
            given = {"write": rng.randint(1, 8), "moment": rng.choice(("before", "after"))}
            given["down"] = rng.choice((0, 0.1, 5, 60))
        case "skew":
            given = {"seconds": rng.choice((-300, -2, 2, 300)), "for": lasting}
        case "partition":
            part = node(rng) if rng.random() < 0.5 else part
            given = {"for": rng.choice((5, 60, 400))}
        case "kill":
            part = node(rng)
            given = {"for": rng.choice((5, 60, 400))}
    return Act(when, verb, part, pairs(given))
