"""Event: what happened to an object, for people to read; kept for an hour."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import Column, Kind, Tree
from knarr.kinds.trees import child, fill
from knarr.kinds.types.core_v1 import Event, EventSource
from knarr.meta import field
from knarr.meta.field import FieldError

LONGEST = 128  #: characters of an action, a reason, a reporting instance
LONGEST_MESSAGE = 1024

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


def validate(event: Event) -> Iterator[FieldError]:
    """Event and object share a namespace; one with `eventTime` is of the new sort and names its reporter."""
    own, about = event.metadata.namespace, event.involvedObject.namespace
    homes = ("", "default", "kube-system") if event.eventTime else ("", "default")
    if (not about and own not in homes) or (about and not event.eventTime and own != about):
        yield field.wrong("involvedObject.namespace", about, "does not match event.namespace")
    if event.eventTime:
        yield from reported(event)
    yield from rules.dns_subdomain(own, "namespace")


def reported(event: Event) -> Iterator[FieldError]:
    if not event.reportingComponent:
        yield field.required("reportingController")
    yield from rules.qualified_name(event.reportingComponent, "reportingController")
    for name in ("reportingInstance", "action", "reason"):
        value: str = getattr(event, name)
        if not value:
            yield field.required(name)
        if len(value.encode()) > LONGEST:
            yield field.wrong(name, "", f"can have at most {LONGEST} characters")
    if len(event.message.encode()) > LONGEST_MESSAGE:
        yield field.wrong("message", "", f"can have at most {LONGEST_MESSAGE} characters")


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
    validate=validate,
    validate_update=lambda new, old: validate(new),
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
