"""Loading images that other tools saved, and archives nobody should trust."""

import hashlib
import io
import json
import os
import tarfile

import pytest

from knarr.node.images.store import ImageError, ImageStore

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="layers keep owners, which takes root")


def a_tar(*members, compression="") -> bytes:
    """Members are (name, contents) or (name, type, link target)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:
        for name, *rest in members:
            info = tarfile.TarInfo(name)
            if len(rest) == 1:
                info.size, info.mode = len(rest[0]), 0o644
                archive.addfile(info, io.BytesIO(rest[0]))
            else:
                info.type, info.linkname, info.mode = *rest, 0o755
                archive.addfile(info)
    return buffer.getvalue()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def a_config(*layers: bytes) -> bytes:
    config = {"Entrypoint": ["/bin/app"], "Cmd": ["-x"], "Env": ["A=1"], "WorkingDir": "/w", "User": "7"}
    return json.dumps({"config": config, "rootfs": {"diff_ids": [f"sha256:{sha(each)}" for each in layers]}}).encode()


def docker_archive(*layers: bytes, names=("web:v1",)) -> bytes:
    paths = [f"{sha(each)}/layer.tar" for each in layers]
    manifest = [{"Config": "config.json", "RepoTags": list(names), "Layers": paths}]
    return a_tar(
        ("manifest.json", json.dumps(manifest).encode()),
        ("config.json", a_config(*layers)),
        *zip(paths, layers, strict=True),
    )


def oci_archive(layer: bytes) -> bytes:
    import gzip

    packed, config = gzip.compress(layer), a_config(layer)
    manifest = json.dumps(
        {"config": {"digest": f"sha256:{sha(config)}"}, "layers": [{"digest": f"sha256:{sha(packed)}"}]}
    ).encode()
    note = {"org.opencontainers.image.ref.name": "web:v1"}
    index = {"manifests": [{"digest": f"sha256:{sha(manifest)}", "annotations": note}]}
    blobs = [(f"blobs/sha256/{sha(each)}", each) for each in (packed, config, manifest)]
    return a_tar(("oci-layout", b"{}"), ("index.json", json.dumps(index).encode()), *blobs)


LAYER = a_tar(("bin", tarfile.DIRTYPE, ""), ("bin/app", b"run"), ("bin/link", tarfile.SYMTYPE, "/etc/passwd"))
ARCHIVES = {"a docker-archive": docker_archive(LAYER), "an OCI layout, compressed": oci_archive(LAYER)}


@pytest.fixture
def store(tmp_path):
    return ImageStore(tmp_path / "images")


def loaded(store, tmp_path, data):
    (tmp_path / "image.tar").write_bytes(data)
    return store.load(tmp_path / "image.tar")


@pytest.mark.parametrize("data", ARCHIVES.values(), ids=ARCHIVES)
def test_load(store, tmp_path, data):
    (image,) = loaded(store, tmp_path, data)
    assert image.names == ("docker.io/library/web:v1",)
    assert (image.entrypoint, image.command, image.env) == (("/bin/app",), ("-x",), (("A", "1"),))
    assert (image.working_dir, image.user, image.host) == ("/w", "7", False)
    layer = store.layers / image.layers[0]
    assert (layer / "bin" / "app").read_text() == "run"
    assert str((layer / "bin" / "link").readlink()) == "/etc/passwd"
    assert store.find("web:v1").id == image.id


def test_both_formats_share_their_layers(store, tmp_path):
    images = [image for data in ARCHIVES.values() for image in loaded(store, tmp_path, data)]
    assert len({image.layers for image in images}) == 1


def test_whiteouts_become_overlays_own(store, tmp_path):
    layer = a_tar(("d", tarfile.DIRTYPE, ""), ("d/.wh.gone", b""), ("e", tarfile.DIRTYPE, ""), ("e/.wh..wh..opq", b""))
    (image,) = loaded(store, tmp_path, docker_archive(layer))
    root = store.layers / image.layers[0]
    assert (root / "d" / "gone").is_char_device()
    assert (root / "d" / "gone").stat().st_rdev == 0
    assert os.getxattr(root / "e", "trusted.overlay.opaque") == b"y"


def test_devices_are_left_out(store, tmp_path):
    (image,) = loaded(store, tmp_path, docker_archive(a_tar(("sda", tarfile.BLKTYPE, ""), ("x", b"1"))))
    assert sorted(path.name for path in (store.layers / image.layers[0]).iterdir()) == ["x"]


UNSAFE = {
    "a name that climbs": (a_tar(("../evil", b"x")), "leads out of the layer"),
    "a file behind a link": (
        a_tar(("d", tarfile.SYMTYPE, "/tmp"), ("d/evil", b"x")),
        "lies behind the symbolic link d",
    ),
    "a hard link to the host": (a_tar(("h", tarfile.LNKTYPE, "/etc/passwd")), "a hard link to /etc/passwd"),
    "a hard link through a link": (
        a_tar(("d", tarfile.SYMTYPE, "/etc/passwd"), ("h", tarfile.LNKTYPE, "d")),
        "a hard link to d",
    ),
}


@pytest.mark.parametrize(("layer", "why"), UNSAFE.values(), ids=UNSAFE)
def test_an_archive_that_reaches_outside_is_refused(store, tmp_path, layer, why):
    with pytest.raises(ImageError, match=why):
        loaded(store, tmp_path, docker_archive(layer))
    assert store.ls() == []
    assert list(store.layers.iterdir()) == []
    assert not (tmp_path / "images" / "evil").exists()


def test_an_absolute_name_stays_inside(store, tmp_path):
    (image,) = loaded(store, tmp_path, docker_archive(a_tar(("/etc/inside", b"x"))))
    assert (store.layers / image.layers[0] / "etc" / "inside").read_text() == "x"


BROKEN = {
    "no tar": (b"hello", "file could not be opened|truncated|invalid"),
    "a tar of something else": (a_tar(("a", b"1")), "neither a docker-archive"),
    "an archive without its layer": (
        a_tar(
            ("manifest.json", b'[{"Config": "c", "Layers": ["l"]}]'),
            ("c", b'{"rootfs": {"diff_ids": ["sha256:1"]}}'),
        ),
        "l is missing",
    ),
}


@pytest.mark.parametrize(("data", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_archive_says_so(store, tmp_path, data, why):
    with pytest.raises(ImageError, match=why):
        loaded(store, tmp_path, data)
