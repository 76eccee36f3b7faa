"""WebSocket (RFC 6455) without I/O, the server's end: masked frames in, messages out, unmasked frames back."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
NORMAL, PROTOCOL_ERROR, TOO_BIG, INTERNAL = 1000, 1002, 1009, 1011
MESSAGE_MOST = 32 << 20


class WebSocketError(Exception):
    """The peer broke the protocol; `code` is for the close frame."""

    def __init__(self, message: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Message:
    payload: bytes
    text: bool = False


@dataclass(frozen=True, slots=True)
class Pinged:
    """Bytes to send back."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer closes; bytes to send back."""

    answer: bytes


Event = Message | Pinged | Closed


def accept(key: str) -> str:
    """The Sec-WebSocket-Accept to a client's key."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest()).decode()


def frame(payload: bytes, opcode: int = BINARY, mask: bytes = b"") -> bytes:
    """One whole frame; a client gives a mask of four bytes."""
    size, flag = len(payload), 0x80 if mask else 0
    if size < 126:
        head = bytes([0x80 | opcode, flag | size])
    elif size < 1 << 16:
        head = bytes([0x80 | opcode, flag | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, flag | 127]) + size.to_bytes(8, "big")
    return head + mask + (unmask(payload, mask) if mask else payload)


def close(code: int = NORMAL, reason: str = "") -> bytes:
    return frame(code.to_bytes(2, "big") + reason.encode()[:120], CLOSE)


def unmask(payload: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask."""
    if len(payload) < 64:
        return bytes(a ^ b for a, b in zip(payload, cycle(mask), strict=False))
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(len(payload), "big")


class Connection:
    """Takes bytes as they come and gives whole messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._opcode = 0

    def receive(self, data: bytes) -> list[Event]:
        self._buffer += data
        return list(self._events())

    def _events(self) -> Iterator[Event]:
        while (found := self._frame()) is not None:
            fin, opcode, payload = found
            if opcode == PING:
                yield Pinged(frame(payload, PONG))
            elif opcode == CLOSE:
                yield Closed(frame(payload[:2], CLOSE))
            elif opcode != PONG:
                yield from self._assemble(fin, opcode, payload)

    def _assemble(self, fin: bool, opcode: int, payload: bytes) -> Iterator[Event]:
        if (opcode == CONTINUATION) != bool(self._opcode):
            raise WebSocketError("continuation out of place")
        self._opcode = self._opcode or opcode
        self._parts.append(payload)
        if sum(map(len, self._parts)) > MESSAGE_MOST:
            raise WebSocketError("message too big", TOO_BIG)
        if fin:
            yield Message(b"".join(self._parts), self._opcode == TEXT)
            self._parts, self._opcode = [], 0

    def _frame(self) -> tuple[bool, int, bytes] | None:
        """The next whole frame: final, opcode, payload."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1] & 0x7F, 2
        if size >= 126:
            wide = 2 if size == 126 else 8
            if len(buffer) < 2 + wide:
                return None
            size, start = int.from_bytes(buffer[2 : 2 + wide], "big"), 2 + wide
        if buffer[0] & 0x70:
            raise WebSocketError("reserved bits are set")
        if not buffer[1] & 0x80:
            raise WebSocketError("a client's frame must be masked")
        if size > MESSAGE_MOST:
            raise WebSocketError("frame too big", TOO_BIG)
        if len(buffer) < start + 4 + size:
            return None
        mask, payload = bytes(buffer[start : start + 4]), bytes(buffer[start + 4 : start + 4 + size])
        fin, opcode = bool(buffer[0] & 0x80), buffer[0] & 0x0F
        del buffer[: start + 4 + size]
        if opcode >= 8 and (not fin or size > 125):
            raise WebSocketError("a control frame must be short and whole")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise WebSocketError(f"opcode {opcode} is reserved")
        return fin, opcode, unmask(payload, mask)
