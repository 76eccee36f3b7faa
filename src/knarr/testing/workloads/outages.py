"""Outages that StatefulSets live through: a node is cut off or loses power, and users give it, or its pods, up. Pure.

Drawn from a seed of their own, so that the rest of a life is the same with and without them.
"""

import random
from collections.abc import Collection, Sequence

from knarr.testing.sim.schedule import Act

LASTING = (20.0, 120.0, 400.0, 1000.0)  #: seconds: some shorter and some longer than it takes to be noticed
GIVEN_UP = ("", "force", "force", "remove-node", "out-of-service", "drain")


def outages(
    seed: int, subjects: Sequence[str], nodes: Sequence[str], span: float, faults: Collection[str]
) -> list[Act]:
    """Up to two outages within `span` seconds; `subjects` are the sets, "statefulset/NAME"."""
    rng = random.Random(f"outages {seed}")
    ways = [verb for verb in ("partition", "kill") if verb in faults]
    acts: list[Act] = []
    for _ in range(rng.choice((0, 1, 1, 2)) if ways and subjects else 0):
        name, begin, lasting = rng.choice(list(nodes)), round(rng.random() * span, 3), rng.choice(LASTING)
        acts.append(Act(begin, rng.choice(ways), name, (("for", f"{lasting:g}"),)))
        acts += given_up(rng, rng.choice(GIVEN_UP), name, begin, lasting, subjects)
    return acts


def given_up(
    rng: random.Random, how: str, name: str, begin: float, lasting: float, subjects: Sequence[str]
) -> list[Act]:
    """What users do about a node in an outage."""
    when = [round(begin + lasting * rng.random(), 3) for _ in range(rng.randint(1, 3))]
    if how == "force":
        given = [(("number", str(rng.randrange(4))), ("force", "true")) for _ in when]
        return [Act(at, "delete-pod", rng.choice(list(subjects)), pair) for at, pair in zip(when, given, strict=True)]
    if not how:
        return []
    back = [Act(round(begin + lasting + 60, 3), "uncordon", name)] if how in ("out-of-service", "drain") else []
    return [Act(when[0], how, name), *back]
