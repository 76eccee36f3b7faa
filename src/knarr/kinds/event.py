"""Event: what happened to an object, for people to read; kept for an hour."""

from collections.abc import Sequence
from datetime import datetime

from knarr.kinds import cells
from knarr.kinds.kind import Column, Kind, Tree
from knarr.kinds.trees import child, fill
from knarr.kinds.types.core_v1 import Event, EventSource

COLUMNS = (
    Column("Last Seen"),
    Column("Type"),
    Column("Reason"),
    Column("Object"),
    Column("Subobject", priority=1),
    Column("Source", priority=1),
    Column("Message"),
    Column("First Seen", priority=1),
    Column("Count", priority=1),
    Column("Name", priority=1),
)


def defaults(tree: Tree) -> None:
    child(tree, "source")
    child(tree, "involvedObject")
    fill(tree, reportingComponent="", reportingInstance="")


def row(event: Event, now: datetime) -> Sequence[object]:
    first = cells.since(event.firstTimestamp or event.eventTime, now)
    last = cells.since(event.lastTimestamp, now) if event.lastTimestamp else first
    count = event.count or 1
    if event.series is not None:
        last, count = cells.since(event.series.lastObservedTime, now), event.series.count or 0
    about = event.involvedObject
    return (
        last,
        event.type,
        event.reason,
        f"{about.kind.lower()}/{about.name}" if about.name else about.kind.lower(),
        about.fieldPath,
        source(event),
        event.message.strip(),
        first,
        count,
        event.metadata.name,
    )


def source(event: Event) -> str:
    """Who reported: "kubelet, node-1"."""
    given = event.source or EventSource()
    component = given.component or event.reportingComponent
    host = given.host or event.reportingInstance
    return f"{component}, {host}" if host else component


def reporter(event: Event) -> str:
    return (event.source.component if event.source else "") or event.reportingComponent


KIND = Kind(
    type=Event,
    group="",
    version="v1",
    kind="Event",
    plural="events",
    singular="event",
    short_names=("ev",),
    defaults=defaults,
    columns=COLUMNS,
    row=row,
    selectable={
        "involvedObject.kind": lambda event: event.involvedObject.kind,
        "involvedObject.namespace": lambda event: event.involvedObject.namespace,
        "involvedObject.name": lambda event: event.involvedObject.name,
        "involvedObject.uid": lambda event: event.involvedObject.uid,
        "involvedObject.apiVersion": lambda event: event.involvedObject.apiVersion,
        "involvedObject.resourceVersion": lambda event: event.involvedObject.resourceVersion,
        "involvedObject.fieldPath": lambda event: event.involvedObject.fieldPath,
        "reason": lambda event: event.reason,
        "reportingComponent": lambda event: event.reportingComponent,
        "source": reporter,
        "type": lambda event: event.type,
    },
)
