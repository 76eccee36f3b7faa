"""StatefulSets that opt in to what they may: which, from a seed of their own, and the annotations that say so. Pure."""

import random
from collections.abc import Sequence
from dataclasses import replace

from knarr.kinds.statefulset_options import BACK_OFF, DEADLINE, RECOVER
from knarr.testing.sim.schedule import Act

OPTIONS = {"recover": (RECOVER, "true"), "back-off": (BACK_OFF, "true"), "conditions": (DEADLINE, "60")}
CHOICES = ("", "", "", "recover", "back-off", "recover,conditions", "recover,back-off,conditions")


def annotations(names: str) -> dict[str, str]:
    """Those of options by commas; ValueError for one that is none."""
    given = [name for name in names.split(",") if name]
    if wrong := [name for name in given if name not in OPTIONS]:
        raise ValueError(f"{wrong[0]!r} is no option; there are {', '.join(OPTIONS)}")
    return dict(OPTIONS[name] for name in given)


def opting(seed: int, acts: Sequence[Act]) -> list[Act]:
    """The acts, with some of the StatefulSets that they create opting in."""
    rng = random.Random(f"options {seed}")
    return [
        replace(act, given=(*act.given, ("options", chosen)))
        if act.verb == "create" and act.subject.startswith("statefulset/") and (chosen := rng.choice(CHOICES))
        else act
        for act in acts
    ]
