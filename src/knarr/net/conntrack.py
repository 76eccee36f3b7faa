"""Forgets UDP flows that lead where a service does not lead any more: such a flow has no end of its own, so the kernel
would send its packets to an endpoint that is gone for as long as the client goes on. Blocking; called in threads.

A TCP connection ends with its endpoint, and is left alone. Numbers: linux/netfilter/nfnetlink_conntrack.h.
"""

import errno
import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from knarr.net.families import FOUR, SIX, Family
from knarr.net.netlink import DUMP, NESTED, NETFILTER, Netlink, attribute, attributes

SUBSYSTEM, GET, DELETE = 1 << 8, 1, 2
ORIGINAL, REPLY, ID = 1, 2, 12  #: of a flow
IP, PROTOCOL = 1, 2  #: of a direction
ENDS: Final = {FOUR: (1, 2), SIX: (3, 4)}  #: a direction's source and destination
NUMBER, SOURCE_PORT, DESTINATION_PORT = 1, 2, 3  #: of a protocol
UDP = 17
HEAD = struct.Struct("=BBH")

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Flow:
    """A UDP flow: where the client sent it, and who answers."""

    goal: Address
    answers: Address
    message: bytes  #: what names it to the kernel


def forget_stale(
    goals: Mapping[Address, Collection[Address]], node_ports: Mapping[int, Collection[Address]], family: Family = FOUR
) -> int:
    """In this thread's network namespace, forget the flows to a service's addresses, or to node ports of any address,
    whose answers come from no endpoint in use; give how many those were."""
    count = 0
    with Netlink(NETFILTER) as kernel:
        for flow in list(flows(kernel, family)):
            if flow.goal[1] in node_ports and flow.goal not in goals:
                used = node_ports[flow.goal[1]]
                stale = flow.answers != flow.goal and flow.answers not in used
            else:
                stale = flow.goal in goals and flow.answers not in goals[flow.goal]
            if stale and _forget(kernel, flow):
                count += 1
    return count


def flows(kernel: Netlink, family: Family = FOUR) -> Iterator[Flow]:
    """The UDP flows of a family that the kernel knows of."""
    head = HEAD.pack(family.number, 0, 0)
    for _, answer in kernel.ask(SUBSYSTEM | GET, DUMP, head):
        found = dict(attributes(answer[len(head) :]))
        ways = [_direction(found[kind], family) for kind in (ORIGINAL, REPLY) if kind in found]
        if len(ways) == 2 and ways[0][0] == UDP:
            (_, _, goal), (_, source, _) = ways
            message = head + attribute(ORIGINAL | NESTED, found[ORIGINAL])
            if ID in found:
                message += attribute(ID, found[ID])
            yield Flow(goal, source, message)


def _direction(data: bytes, family: Family) -> tuple[int, Address, Address]:
    """The protocol's number, the source and the destination."""
    parts = dict(attributes(data))
    ip, protocol = dict(attributes(parts[IP])), dict(attributes(parts[PROTOCOL]))
    number = protocol[NUMBER][0]
    first, last = ENDS[family]
    if first not in ip or SOURCE_PORT not in protocol:
        return 0, ("", 0), ("", 0)  # of another family, or without ports
    ends = [(first, SOURCE_PORT), (last, DESTINATION_PORT)]
    source, goal = ((str(ip_address(ip[at])), int.from_bytes(protocol[port], "big")) for at, port in ends)
    return number, source, goal


def _forget(kernel: Netlink, flow: Flow) -> bool:
    try:
        kernel.ask(SUBSYSTEM | DELETE, 0, flow.message)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return False  # it has ended by itself
    return True
