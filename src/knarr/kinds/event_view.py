"""Event of events.k8s.io: the events of the core group with newer names for their fields."""

from knarr.kinds import event
from knarr.kinds.kind import Kind, Tree, View
from knarr.kinds.types.events_v1 import Event

#: this form's names -> the core group's
NAMES = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
CORE_NAMES = {core: name for name, core in NAMES.items()}


def inward(tree: Tree) -> Tree:
    return {NAMES.get(key, key): value for key, value in tree.items()}


def outward(tree: Tree) -> Tree:
    return {CORE_NAMES.get(key, key): value for key, value in tree.items()}


KIND = Kind(
    type=Event,
    group="events.k8s.io",
    version="v1",
    kind="Event",
    plural="events",
    singular="event",
    short_names=("ev",),
    columns=event.COLUMNS,
    view=View(
        event.KIND,
        inward,
        outward,
        {"regarding.": "involvedObject.", "reportingController": "reportingComponent"},
    ),
)
