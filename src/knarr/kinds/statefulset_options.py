"""What a StatefulSet may opt in to beyond upstream, by annotations on the set. Without them it behaves as upstream's.

The values are held to their rules when the set is written, so that a misspelt one is no silent "no". Pure.
"""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from knarr.kinds.types.apps_v1 import StatefulSet
from knarr.kinds.types.core_v1 import PersistentVolumeClaim
from knarr.meta import field, quantity
from knarr.meta.field import FieldError, at, at_key

RECOVER = "knarr.dev/recover-rollout"  #: an outdated pod that is not ready gives way to an update out of its turn
BACK_OFF = "knarr.dev/back-off"  #: pods that end soon after they were made are made anew ever more seldom
EXPAND = "knarr.dev/expand-claims"  #: the storage of claim templates may grow, and the claims follow
DEADLINE = "knarr.dev/progress-deadline-seconds"  #: the conditions Available and Progressing, and when it is too long

SWITCHES = (RECOVER, BACK_OFF, EXPAND)
STORAGE = "storage"


def is_on(set_: StatefulSet, switch: str) -> bool:
    return set_.metadata.annotations.get(switch) == "true"


def progress_deadline(set_: StatefulSet) -> int | None:
    """The seconds that a rollout may stand still; None when the set has no conditions."""
    text = set_.metadata.annotations.get(DEADLINE, "")
    return int(text) if is_seconds(text) else None


def is_seconds(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 2**31


def validate(set_: StatefulSet) -> Iterator[FieldError]:
    given, path = set_.metadata.annotations, "metadata.annotations"
    for switch in SWITCHES:
        if given.get(switch, "true") not in ("true", "false"):
            yield field.wrong(at_key(path, switch), given[switch], "must be 'true' or 'false'")
    if DEADLINE not in given:
        return
    if not is_seconds(given[DEADLINE]):
        yield field.wrong(at_key(path, DEADLINE), given[DEADLINE], "must be a whole number of seconds greater than 0")
    elif int(given[DEADLINE]) <= (set_.spec.minReadySeconds or 0):
        yield field.wrong(at_key(path, DEADLINE), given[DEADLINE], "must be greater than minReadySeconds")


# Claim templates that grow


def requested(claim: PersistentVolumeClaim) -> str:
    """The storage that a claim asks for."""
    return claim.spec.resources.requests.get(STORAGE, "0") if claim.spec.resources else "0"


def with_request(claim: PersistentVolumeClaim, size: str) -> PersistentVolumeClaim:
    """The claim, asking for another size."""
    if claim.spec.resources is None:
        return claim
    requests = {**claim.spec.resources.requests, STORAGE: size}
    return replace(claim, spec=replace(claim.spec, resources=replace(claim.spec.resources, requests=requests)))


def only_sizes_differ(new: Sequence[PersistentVolumeClaim], old: Sequence[PersistentVolumeClaim]) -> bool:
    return len(new) == len(old) and all(
        with_request(after, requested(before)) == before for after, before in zip(new, old, strict=True)
    )


def shrunk(new: Sequence[PersistentVolumeClaim], old: Sequence[PersistentVolumeClaim]) -> Iterator[FieldError]:
    """The templates that ask for less than they did."""
    for index, (after, before) in enumerate(zip(new, old, strict=True)):
        if quantity.parse(requested(after)) < quantity.parse(requested(before)):
            path = at("spec", "volumeClaimTemplates", index, "spec.resources.requests.storage")
            yield field.forbidden(path, f"may only grow, from {requested(before)}")
