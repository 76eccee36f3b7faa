"""A container's log file, in the format the Container Runtime Interface prescribes: `<time> <stream> F|P <text>`.

P marks a line that goes on in the next one. At 10 MiB the file becomes `<name>.1` and so on; five are kept.
"""

import contextlib
import os
import time

LINE = 16 * 1024
SIZE = 10 * 1024 * 1024
FILES = 5


def stamp(nanoseconds: int) -> bytes:
    """RFC 3339 with nine fractional digits, UTC."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode() + b".%09dZ" % fraction


class Log:
    """An open log; each stream's unfinished line waits here for its end."""

    def __init__(self, path: str, size: int = SIZE, files: int = FILES) -> None:
        self._path, self._limit, self._files = path, size, files
        self._rest: dict[bytes, bytes] = {}
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._open()

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._file).st_size

    def write(self, stream: bytes, data: bytes) -> None:
        """Take what a stream said; whole lines, and very long parts, reach the file now."""
        *lines, rest = (self._rest.get(stream, b"") + data).split(b"\n")
        head = stamp(time.time_ns()) + b" " + stream
        out = []
        for line in lines:
            while len(line) > LINE:
                out.append(head + b" P " + line[:LINE] + b"\n")
                line = line[LINE:]
            out.append(head + b" F " + line + b"\n")
        while len(rest) > LINE:
            out.append(head + b" P " + rest[:LINE] + b"\n")
            rest = rest[LINE:]
        self._rest[stream] = rest
        if out:
            self._append(b"".join(out))

    def end(self, stream: bytes) -> None:
        """A stream is over: its last line has no newline."""
        if rest := self._rest.pop(stream, b""):
            self._append(stamp(time.time_ns()) + b" " + stream + b" P " + rest + b"\n")

    def close(self) -> None:
        for stream in list(self._rest):
            self.end(stream)
        os.close(self._file)

    def _append(self, data: bytes) -> None:
        if self._size and self._size + len(data) > self._limit:
            self._rotate()
        view = memoryview(data)
        with contextlib.suppress(OSError):  # a full disk loses log lines, not the pod
            while view:
                written = os.write(self._file, view)
                self._size += written
                view = view[written:]

    def _rotate(self) -> None:
        os.close(self._file)
        for number in range(self._files - 1, 0, -1):
            older = self._path if number == 1 else f"{self._path}.{number - 1}"
            with contextlib.suppress(FileNotFoundError):
                os.replace(older, f"{self._path}.{number}")
        self._open()
