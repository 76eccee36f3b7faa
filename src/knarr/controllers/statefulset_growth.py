"""Claims that grow with their set's templates, where the set opted in to it. Pure; called by `statefulset.sync`."""

from collections.abc import Iterator, Mapping

from knarr.controllers import statefulset_pods as wanted
from knarr.kinds.statefulset_options import EXPAND, STORAGE, is_on, requested
from knarr.kinds.types.apps_v1 import StatefulSet
from knarr.kinds.types.core_v1 import PersistentVolumeClaim
from knarr.loop.steps import Note, Patch
from knarr.meta import quantity


def grown(set_: StatefulSet, claims: Mapping[str, PersistentVolumeClaim]) -> Iterator[Patch]:
    """Have each bound claim of a wanted pod ask for at least as much as its template; `claims` are by name."""
    if not is_on(set_, EXPAND) or set_.metadata.deletionTimestamp:
        return
    for ordinal in wanted.wanted_ordinals(set_):
        for template in set_.spec.volumeClaimTemplates:
            claim, size = claims.get(wanted.claim_name(set_, template, ordinal)), requested(template)
            if claim is None or claim.metadata.deletionTimestamp or claim.status.phase != "Bound":
                continue
            if quantity.parse(requested(claim)) < quantity.parse(size):
                spec = {"resources": {"requests": {STORAGE: size}}}
                patch = {"metadata": {"uid": claim.metadata.uid}, "spec": spec}
                yield Patch(claim, patch, reason=f"grows to {size}", note=note(set_, size))


def note(set_: StatefulSet, size: str) -> Note:
    of_set = f"in StatefulSet {set_.metadata.name}"
    return Note(
        set_,
        done=("SuccessfulExpand", f"Expand Claim {{name}} to {size} {of_set} success"),
        failed=("FailedExpand", f"Expand Claim {{name}} to {size} {of_set} failed error: {{error}}"),
    )
