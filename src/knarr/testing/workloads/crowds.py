"""Pods that want a whole node and matter more than others, so that others have to go: which and when. Pure.

Drawn from a seed of their own, so that the rest of a life is the same with and without them.
"""

import random
from collections.abc import Collection
from typing import Any

from knarr.kinds.types.core_v1 import Node
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.kinds.types.scheduling_v1 import PriorityClass
from knarr.testing.sim.schedule import Act

RANKS = {"high": 1000, "highest": 2000}  #: their classes, each with its priority
SOME = 0.3  #: of all lives
LEAVES = 0.6  #: of the crowds, before the end


def crowds(seed: int, nodes: Collection[str], span: float) -> list[Act]:
    """What users do within `span` seconds to have others leave their nodes."""
    rng = random.Random(f"crowds {seed}")
    acts: list[Act] = []
    for _ in range(rng.randint(1, 4) if rng.random() < SOME else 0):
        node, rank = rng.choice(sorted(nodes)), rng.choice(sorted(RANKS))
        begin = round(rng.random() * span, 3)
        acts.append(Act(begin, "crowd", node, (("rank", rank),)))
        if rng.random() < LEAVES:
            acts.append(Act(round(begin + rng.choice((0.05, 1, 3, 60)), 3), "remove-pod", name(node, rank)))
    return acts


def rank(text: str) -> str:
    if text not in RANKS:
        raise ValueError(f"must be one of {', '.join(RANKS)}")
    return text


def name(node: str, rank: str) -> str:
    return f"crowd-{node}-{rank}"


def class_of(rank: str) -> PriorityClass:
    return PriorityClass(metadata=ObjectMeta(name=rank), value=RANKS[rank])


def pod(node: Node, rank: str) -> dict[str, Any]:
    """A pod that wants all of the node's processors."""
    requests = {"cpu": node.status.allocatable.get("cpu", "1")}
    spec = {
        "priorityClassName": rank,
        "nodeSelector": {"kubernetes.io/hostname": node.metadata.name},
        "terminationGracePeriodSeconds": 2,
        "containers": [{"name": "c", "image": "img:1", "resources": {"requests": requests}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name(node.metadata.name, rank)}, "spec": spec}
