"""Reads container logs in the CRI format, whole or followed across rotation. Called by the kubelet API.

A line is `<RFC 3339 time> <stdout|stderr> <F|P> <text>`; P says that the line goes on. Rotated files
are `<attempt>.log.1`, the newest, and so on.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from knarr.meta import clock

LAST_LINES, LAST_BYTES = 80, 2048
GAP = 2  #: so many numbers that no file has end the search for rotated ones
POLL = 0.05  #: seconds between looks at a file that is followed


@dataclass(frozen=True, slots=True)
class Options:
    """What `kubectl logs` asks for."""

    follow: bool = False
    tail: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    limit: int | None = None  #: bytes
    stream: str = "All"  #: or Stdout, Stderr


@dataclass(frozen=True, slots=True)
class Entry:
    time: bytes
    stream: bytes
    partial: bool
    text: bytes


def parse(line: bytes) -> Entry | None:
    """One line of a file; None for what is no such line."""
    parts = line.rstrip(b"\n").split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr"):
        return None
    return Entry(parts[0], parts[1], parts[2].startswith(b"P"), parts[3] if len(parts) > 3 else b"")


def rendered(entry: Entry, options: Options) -> bytes:
    """An entry as the client sees it; b"" when it is not asked for."""
    if options.since is not None and moment(entry.time) < options.since:
        return b""
    if options.stream not in ("", "All") and entry.stream.decode() != options.stream.lower():
        return b""
    head = entry.time + b" " if options.timestamps else b""
    return head + entry.text + (b"" if entry.partial else b"\n")


def moment(text: bytes) -> datetime:
    """A timestamp with up to nine fractional digits."""
    whole, dot, fraction = text.decode().rstrip("Z").partition(".")
    zone = "+00:00"
    for sign in "+-":
        if sign in fraction:
            fraction, zone = fraction.split(sign)[0], sign + fraction.split(sign)[1]
    return clock.parse(f"{whole}{dot}{fraction[:6]}{zone}" if dot else f"{whole}{zone}")


def opened(path: Path) -> list[BinaryIO]:
    """The log's files, oldest first.

    They are opened from the newest on, each once: a rotation meanwhile moves files away from the reader, who meets
    one again rather than missing one. A number may be free for a moment, two in a row never are.
    """
    found: dict[int, BinaryIO] = {}
    missing = number = 0
    while missing < GAP:
        try:
            file = (path.with_name(f"{path.name}.{number}") if number else path).open("rb")
        except FileNotFoundError:
            missing += 1
        else:
            missing = 0
            if inode(file) in found:
                file.close()
            else:
                found[inode(file)] = file
        number += 1
    return list(reversed(found.values()))


def inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino


def tail(texts: Iterable[bytes], count: int | None) -> list[bytes]:
    """The last `count` lines of the texts together, all for None; a line in parts counts once."""
    kept: list[bytes] = []
    ends = 0
    for text in reversed(list(texts)):
        lines = text.splitlines(keepends=True)
        start = 0 if count is None else len(lines)
        while count is not None and start > 0:
            entry = parse(lines[start - 1])
            ends += entry is not None and not entry.partial
            if ends > count:
                break
            start -= 1
        kept = lines[start:] + kept
        if count is not None and ends > count:
            break
    return kept


async def read(path: Path, options: Options, running: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The log in pieces. Followed, it ends once `running` says no and everything was read."""
    left = options.limit
    source = follow(path, options, running) if options.follow else once(path, options)
    async for lines in source:
        piece = b"".join(render(lines, options))
        if left is not None:
            piece, left = piece[:left], left - len(piece[:left])
        if piece:
            yield piece
        if left is not None and left <= 0:
            return


def render(lines: Iterable[bytes], options: Options) -> Iterator[bytes]:
    for line in lines:
        if (entry := parse(line)) is not None:
            yield rendered(entry, options)


def last_words(path: Path) -> str:
    """What a container said last, as its termination message: 80 lines, 2 KiB at most."""
    text = b"".join(render(whole(path, LAST_LINES), Options()))
    return text[-LAST_BYTES:].decode(errors="replace")


async def once(path: Path, options: Options) -> AsyncIterator[list[bytes]]:
    yield await asyncio.to_thread(whole, path, options.tail)


def whole(path: Path, count: int | None) -> list[bytes]:
    """What is there now."""
    texts = []
    for file in opened(path):
        with file:
            texts.append(file.read())
    return tail(texts, count)


class Follower:
    """Reads whole lines from the end of a file that grows and is rotated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""

    def begin(self, count: int | None) -> list[bytes]:
        """The lines that are there; `more` goes on from here."""
        texts = []
        for file in opened(self._path):
            self.close()
            self._file = file
            texts.append(file.read())
        if texts:
            complete, newline, self._rest = texts[-1].rpartition(b"\n")
            texts[-1] = complete + newline
        return tail(texts, count)

    def more(self) -> list[bytes]:
        """The lines that came since; of a file that was moved away first what it still got, then the next one's."""
        lines = self._take()
        if not lines and self._moved():
            lines = self._take()
            self._turn()
            lines += self._take()
        return lines

    def _turn(self) -> None:
        """Go on to the next newer file: there are several when the log is rotated faster than it is read."""
        files = opened(self._path)
        known = [inode(file) for file in files]
        own = inode(self._file) if self._file else 0
        following = known.index(own) + 1 if own in known else 0
        self.close()
        self._rest = b""
        for number, file in enumerate(files):
            if number == following:
                self._file = file
            else:
                file.close()

    def _take(self) -> list[bytes]:
        if self._file is None:
            self._turn()
        if self._file is None:
            return []
        data = self._rest + self._file.read(1 << 20)
        whole, newline, self._rest = data.rpartition(b"\n")
        return (whole + newline).splitlines(keepends=True)

    def _moved(self) -> bool:
        try:
            return self._file is not None and inode(self._file) != self._path.stat().st_ino
        except FileNotFoundError:  # the new one is not there yet
            return False

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


async def follow(path: Path, options: Options, running: Callable[[], bool]) -> AsyncIterator[list[bytes]]:
    """Lines as they are written."""
    follower = Follower(path)
    try:
        yield await asyncio.to_thread(follower.begin, options.tail)
        while True:
            alive = running()
            if lines := await asyncio.to_thread(follower.more):
                yield lines
            elif not alive:
                return
            else:
                await asyncio.sleep(POLL)
    finally:
        follower.close()
