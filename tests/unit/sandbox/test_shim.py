"""The parts of the shim that need no namespace: logs, paths inside a container, users, errors."""

import re

import pytest

from knarr.node.runtimes.sandbox.shim import process
from knarr.node.runtimes.sandbox.shim.log import LINE, Log, stamp
from knarr.node.runtimes.sandbox.shim.rootfs import inside, mount_point


def lines(path):
    return [line.split(" ", 1)[1] for line in path.read_text().splitlines()]


def test_a_time_has_nine_digits():
    assert stamp(1_700_000_000_000_000_007) == b"2023-11-14T22:13:20.000000007Z"


WRITES = {
    "a line": ([b"a\n"], ["stdout F a"]),
    "a line in pieces": ([b"a", b"b", b"c\n"], ["stdout F abc"]),
    "several lines at once": ([b"a\nb\n"], ["stdout F a", "stdout F b"]),
    "an empty line": ([b"\n"], ["stdout F "]),
    "a last line without its end": ([b"a\nrest"], ["stdout F a", "stdout P rest"]),
    "a line too long for one": ([b"x" * (LINE + 3) + b"\n"], ["stdout P " + "x" * LINE, "stdout F xxx"]),
}


@pytest.mark.parametrize(("pieces", "expected"), WRITES.values(), ids=WRITES)
def test_log(tmp_path, pieces, expected):
    log = Log(str(tmp_path / "pod" / "0.log"))
    for piece in pieces:
        log.write(b"stdout", piece)
    log.close()
    assert lines(tmp_path / "pod" / "0.log") == expected


def test_streams_do_not_mix_within_a_line(tmp_path):
    log = Log(str(tmp_path / "0.log"))
    for stream, data in ((b"stdout", b"a"), (b"stderr", b"1"), (b"stdout", b"b\n"), (b"stderr", b"2\n")):
        log.write(stream, data)
    log.close()
    assert lines(tmp_path / "0.log") == ["stdout F ab", "stderr F 12"]


def test_a_log_continues_the_file_it_finds(tmp_path):
    for _ in range(2):
        log = Log(str(tmp_path / "0.log"))
        log.write(b"stdout", b"a\n")
        log.close()
    assert lines(tmp_path / "0.log") == ["stdout F a", "stdout F a"]


def test_logs_rotate_and_the_oldest_go(tmp_path):
    log = Log(str(tmp_path / "0.log"), size=100, files=3)
    for number in range(20):
        log.write(b"stdout", b"%04d\n" % number)
    log.close()
    files = {path.name: lines(path) for path in tmp_path.iterdir()}
    assert files.keys() == {"0.log", "0.log.1", "0.log.2"}
    kept = [line for name in ("0.log.2", "0.log.1", "0.log") for line in files[name]]
    assert kept == [f"stdout F {number:04}" for number in range(20 - len(kept), 20)]
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())


LINKS = {
    "a plain path": ("/a/b", "/a/b"),
    "dots": ("/a/./../b", "/b"),
    "dots above the root": ("/../../etc", "/etc"),
    "a relative link": ("/rel/x", "/real/x"),
    "an absolute link stays inside": ("/abs/x", "/etc/x"),
    "a link that climbs stays inside": ("/climb/x", "/etc/x"),
}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "rel").symlink_to("real")
    (tmp_path / "abs").symlink_to("/etc")
    (tmp_path / "climb").symlink_to("../../../../../etc")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


@pytest.mark.parametrize(("path", "expected"), LINKS.values(), ids=LINKS)
def test_inside(root, path, expected):
    assert inside(str(root), path) == f"{root}{expected}"


def test_a_circle_of_links_is_an_error(root):
    with pytest.raises(OSError, match="too many levels of symbolic links in /loop/x"):
        inside(str(root), "/loop/x")


def test_mount_points_are_made_inside(root):
    assert mount_point(str(root), "/abs/deep/file", directory=False) == f"{root}/etc/deep/file"
    assert (root / "etc" / "deep" / "file").is_file()
    assert (root / mount_point(str(root), "/x/y", directory=True)).is_dir()


def test_a_link_in_a_files_place_is_replaced_when_asked(root):
    (root / "resolv.conf").symlink_to("/run/stub")
    assert mount_point(str(root), "/resolv.conf", directory=False, replace=True) == f"{root}/resolv.conf"
    assert not (root / "resolv.conf").is_symlink()


IDENTITIES = {
    "root by default": ("", None, [], (0, 0, [0, 4], "/root")),
    "a name": ("app", None, [], (77, 78, [5, 78], "/home/app")),
    "a number with a name": ("77", None, [], (77, 78, [5, 78], "/home/app")),
    "a number without": ("1234", None, [], (1234, 0, [0], "/")),
    "a group by name": ("app:adm", None, [], (77, 4, [4, 5], "/home/app")),
    "both numbers": ("1:2", None, [], (1, 2, [2], "/")),
    "a group of the spec": ("app", 9, [7], (77, 9, [5, 7, 9], "/home/app")),
}


@pytest.fixture
def files(monkeypatch):
    rows = {
        "/etc/passwd": ["root:x:0:0:root:/root:/bin/sh", "app:x:77:78::/home/app:/bin/sh"],
        "/etc/group": ["adm:x:4:root", "audio:x:5:app"],
    }
    monkeypatch.setattr(process, "_rows", lambda path: [row.split(":") for row in rows[path]])


@pytest.mark.parametrize(("user", "group", "groups", "expected"), IDENTITIES.values(), ids=IDENTITIES)
def test_identity(files, user, group, groups, expected):
    assert process.identity(user, group, groups) == expected


NOBODY = {
    "a user": ("nobody-here", "unable to find user nobody-here: no matching entries in passwd file"),
    "a group": ("app:nobody-here", "unable to find group nobody-here: no matching entries in group file"),
}


@pytest.mark.parametrize(("user", "why"), NOBODY.values(), ids=NOBODY)
def test_who_is_not_there_is_named(files, user, why):
    with pytest.raises(process.StartFailure, match=re.escape(why)):
        process.identity(user, None, [])


def test_programs_are_found_along_the_path(tmp_path):
    (tmp_path / "plain").write_text("")
    program = tmp_path / "bin" / "run"
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    assert process.found("run", f"{tmp_path}:{tmp_path}/bin") == str(program)
    assert process.found(str(program), "") == str(program)
    with pytest.raises(process.StartFailure, match="executable file not found in"):
        process.found("plain", str(tmp_path))


def test_a_file_where_a_directory_should_be_is_worded_as_go_does(tmp_path):
    (tmp_path / "plain").write_text("")
    with pytest.raises(process.StartFailure, match="not a directory"):
        process.found(f"{tmp_path}/plain/x", "")
