"""Reading container logs: tails, times, parts of lines, rotation, following."""

import asyncio

import pytest

from knarr.meta import clock
from knarr.node.logs import Follower, Options, last_words, opened, read
from knarr.node.runtimes.sandbox.shim.log import Log


def line(second, text, stream="stdout", flag="F"):
    return f"2026-01-01T00:00:{second:02}.123456789Z {stream} {flag} {text}\n"


LINES = line(1, "one") + line(2, "two", "stderr") + line(3, "thr", flag="P") + line(3, "ee") + line(4, "four")

CASES = {
    "everything": (Options(), b"one\ntwo\nthree\nfour\n"),
    "the last two lines": (Options(tail=2), b"three\nfour\n"),
    "no line": (Options(tail=0), b""),
    "more than there is": (Options(tail=99), b"one\ntwo\nthree\nfour\n"),
    "since a time": (Options(since=clock.parse("2026-01-01T00:00:02.2Z")), b"three\nfour\n"),
    "with times": (
        Options(tail=1, timestamps=True),
        b"2026-01-01T00:00:04.123456789Z four\n",
    ),
    "so many bytes": (Options(limit=6), b"one\ntw"),
    "one stream": (Options(stream="Stderr"), b"two\n"),
}


async def whole(path, options, running=lambda: False):
    return b"".join([piece async for piece in read(path, options, running)])


@pytest.mark.parametrize("options, text", CASES.values(), ids=CASES)
async def test_read(tmp_path, options, text):
    path = tmp_path / "0.log"
    path.write_text(LINES + "not a line\n")
    assert await whole(path, options) == text
    assert options.limit or await whole(path, Options(**fields(options), follow=True)) == text


def fields(options):
    return {name: getattr(options, name) for name in ("tail", "since", "timestamps", "limit", "stream")}


async def test_rotated_files_come_first(tmp_path):
    (tmp_path / "0.log.2").write_text(line(1, "old"))
    (tmp_path / "0.log.1").write_text(line(2, "newer"))
    (tmp_path / "0.log").write_text(line(3, "new"))
    assert await whole(tmp_path / "0.log", Options()) == b"old\nnewer\nnew\n"
    assert await whole(tmp_path / "0.log", Options(tail=2)) == b"newer\nnew\n"


async def test_a_log_that_is_not_there_is_empty(tmp_path):
    assert await whole(tmp_path / "0.log", Options()) == b""


async def test_following_goes_on_through_rotation_until_the_container_ends(tmp_path):
    path, alive = tmp_path / "0.log", [True]
    path.write_text(line(1, "one") + "2026-01-01T00:00:02.1Z stdout F ha")
    pieces = []

    async def follow():
        async for piece in read(path, Options(follow=True), lambda: alive[0]):
            pieces.append(piece)
            seen.set()

    seen = asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(follow())
        await seen.wait()
        with path.open("a") as file:
            file.write("lf\n")
        path.rename(tmp_path / "0.log.1")
        path.write_text(line(3, "after"))
        while not pieces[-1].endswith(b"after\n"):
            seen.clear()
            await seen.wait()
        alive[0] = False
    assert b"".join(pieces) == b"one\nhalf\nafter\n"


def test_a_follower_misses_no_line_however_often_the_log_is_rotated(tmp_path):
    log, seen = Log(str(tmp_path / "0.log"), size=300, files=5), []
    follower = Follower(tmp_path / "0.log")
    for number in range(60):
        log.write(b"stdout", b"%02d\n" % number)
        if number == 7:
            seen += follower.begin(None)
        elif number > 7 and number % 13 == 0:  # two or three files later
            while lines := follower.more():
                seen += lines
    log.close()
    while lines := follower.more():
        seen += lines
    follower.close()
    assert [int(each.split()[-1]) for each in seen] == list(range(60))


def test_a_rotation_while_the_files_are_opened_loses_none(tmp_path, monkeypatch):
    for number, text in ((2, "one"), (1, "two")):
        (tmp_path / f"0.log.{number}").write_text(line(number, text))
    path, plain = tmp_path / "0.log", type(tmp_path).open
    path.write_text(line(3, "three"))

    def rotating(self, *arguments):
        file = plain(self, *arguments)
        if self == path and not (tmp_path / "0.log.3").exists():
            for number in (2, 1):
                (tmp_path / f"0.log.{number}").rename(tmp_path / f"0.log.{number + 1}")
            path.rename(tmp_path / "0.log.1")
        return file

    monkeypatch.setattr(type(tmp_path), "open", rotating)
    files = opened(path)
    assert [file.read().split()[-1] for file in files] == [b"one", b"two", b"three"]
    for file in files:
        file.close()


def test_last_words_are_the_end_of_the_log(tmp_path):
    (tmp_path / "0.log").write_text("".join(line(1, f"{number:04} " + "x" * 20) for number in range(200)))
    words = last_words(tmp_path / "0.log")
    assert len(words) == 2048 and words.endswith("0199 " + "x" * 20 + "\n")
    assert last_words(tmp_path / "none.log") == ""
