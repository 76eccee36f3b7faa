"""A member of a group that finds its peers by DNS alone and agrees with them on who leads.

Twice a second it asks for the SRV records of its service, which name every member, ready or not, and asks each of them
whether it is there. The member with the lowest ordinal of those that are there leads, as long as they are more than
half of those that DNS names: so two halves of a cut network never have a leader each. Where DNS does not answer, its
last answer holds.
"""

import http.client
import json
import os
import random
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = socket.gethostname()
SERVICE = os.environ.get("SERVICE", "_peer._tcp.peers")
PAUSE, PATIENCE = 0.5, 1.0  # seconds between two looks, and until a peer that says nothing counts as gone
SRV, IN = 33, 1


def resolver() -> tuple[str, list[str]]:
    """The pod's name server and the domains that short names are looked for in."""
    lines = [line.split() for line in Path("/etc/resolv.conf").read_text().splitlines()]
    server = next(words[1] for words in lines if words[:1] == ["nameserver"])
    return server, next((words[1:] for words in lines if words[:1] == ["search"]), [])


def records(name: str) -> list[tuple[str, int]]:
    """The targets and ports of a name's SRV records; OSError when the name server does not give any."""
    server, domains = resolver()
    head = struct.pack("!6H", random.getrandbits(16), 0x0100, 1, 0, 0, 0)
    labels = f"{name}.{domains[0]}".split(".")
    question = b"".join(bytes([len(label)]) + label.encode() for label in labels) + struct.pack("!BHH", 0, SRV, IN)
    with socket.create_connection((server, 53), timeout=PATIENCE) as link:  # by TCP: an answer of any length
        link.sendall(struct.pack("!H", len(head + question)) + head + question)
        stream = link.makefile("rb")
        (size,) = struct.unpack("!H", stream.read(2))
        answer = stream.read(size)
    code, count = answer[3] & 15, struct.unpack_from("!H", answer, 6)[0]
    if code:
        raise OSError(f"{'.'.join(labels)}: response code {code}")
    at, found = len(head + question), []
    for _ in range(count):
        _, at = name_at(answer, at)
        kind, _, _, size = struct.unpack_from("!HHIH", answer, at)
        if kind == SRV:
            found.append((name_at(answer, at + 16)[0], struct.unpack_from("!H", answer, at + 14)[0]))
        at += 10 + size
    return found


def name_at(message: bytes, at: int) -> tuple[str, int]:
    """A name in a DNS message, and where it ends."""
    labels: list[str] = []
    while size := message[at]:
        if size >= 192:
            rest, _ = name_at(message, struct.unpack_from("!H", message, at)[0] & 0x3FFF)
            return ".".join([*labels, rest]), at + 2
        labels.append(message[at + 1 : at + 1 + size].decode())
        at += 1 + size
    return ".".join(labels), at + 1


def is_there(place: tuple[str, int]) -> bool:
    """Whether a peer answers."""
    link = http.client.HTTPConnection(*place, timeout=PATIENCE)
    try:
        link.request("GET", "/name")
        return link.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


def ordinal(name: str) -> int:
    return int(name.rpartition("-")[2])


class Group:
    """What this member knows of its group."""

    def __init__(self) -> None:
        self.listed: list[str] = []
        self.members: list[str] = []
        self.leader = ""
        self._places: list[tuple[str, int]] = []

    def look(self, pool: ThreadPoolExecutor) -> None:
        """Find the peers and elect anew."""
        try:
            self._places = records(SERVICE) or self._places
        except OSError as error:
            print(f"DNS: {error}", flush=True)
        there = dict(zip(self._places, pool.map(is_there, self._places), strict=True))
        self.listed = sorted((host.partition(".")[0] for host, _ in there), key=ordinal)
        reached = {host.partition(".")[0] for (host, _), answers in there.items() if answers}
        self.members = sorted(reached | {NAME}, key=ordinal)
        leader = self.members[0] if 2 * len(self.members) > len(self.listed) else ""
        if leader != self.leader:
            print(f"leader: {leader or 'none'} of {' '.join(self.members)}", flush=True)
            self.leader = leader


class Answers(BaseHTTPRequestHandler):
    """/name for peers, /ready for the node's agent, and the group for everybody."""

    def do_GET(self) -> None:
        if self.path == "/name":
            self.answer(200, {"name": NAME})
        elif self.path == "/ready":
            self.answer(200 if GROUP.leader else 503, {"leader": GROUP.leader})
        else:
            known = {"name": NAME, "leader": GROUP.leader, "members": GROUP.members, "listed": GROUP.listed}
            self.answer(200, known)

    def answer(self, status: int, tree: dict[str, object]) -> None:
        body = json.dumps(tree).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Peers ask twice a second: say nothing of it."""


GROUP = Group()


def main() -> None:
    server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "7000"))), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with ThreadPoolExecutor(16) as pool:
        while True:
            GROUP.look(pool)
            time.sleep(PAUSE)


main()
