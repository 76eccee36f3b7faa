"""No two pods of a node take the same host port."""

from collections.abc import Sequence

from knarr.kinds.host_ports import conflicts
from knarr.scheduler.board import Place
from knarr.scheduler.filters.complaint import Complaint, Round


def concerns(round_: Round) -> bool:
    return bool(round_.load.ports)


def complaints(round_: Round, place: Place) -> Sequence[Complaint]:
    if any(conflicts(port, place.ports) for port in round_.load.ports):
        return (Complaint("node(s) didn't have free ports for the requested pod ports", final=False),)
    return ()
