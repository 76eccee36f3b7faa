"""What a container is started with, from its image and its spec."""

import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

from knarr.node.images.store import StoredImage
from knarr.node.runtimes.runtime import ContainerSpec, Mount, RuntimeFailure
from knarr.node.runtimes.sandbox.container import arguments, capabilities, environment, mounts, record, user

IMAGE = StoredImage(
    id="sha256:1",
    names=("docker.io/library/web:latest",),
    size=1,
    created=0,
    layers=("low", "high"),
    entrypoint=("/run",),
    command=("-x",),
    env=(("PATH", "/bin"), ("A", "image")),
    user="app",
)
SPEC = ContainerSpec(name="main", attempt=0, image="web", log_path=Path("/logs/0.log"))

ARGUMENTS = {
    "the image's own": ({}, ["/run", "-x"]),
    "args replace the image's command": ({"args": ("-y",)}, ["/run", "-y"]),
    "a command replaces both": ({"command": ("/go",)}, ["/go"]),
    "a command with args": ({"command": ("/go",), "args": ("-z",)}, ["/go", "-z"]),
}


@pytest.mark.parametrize(("changes", "expected"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments(changes, expected):
    assert arguments(IMAGE, replace(SPEC, **changes)) == expected


def test_nothing_to_run_is_refused():
    with pytest.raises(RuntimeFailure, match="no command specified"):
        arguments(dataclasses.replace(IMAGE, entrypoint=(), command=()), SPEC)


CAPABILITIES = {
    "the usual fourteen": ({}, 14, "CHOWN", True),
    "one dropped": ({"capabilities_drop": ("CAP_CHOWN",)}, 13, "CHOWN", False),
    "one added": ({"capabilities_add": ("net_admin",)}, 15, "NET_ADMIN", True),
    "all dropped": ({"capabilities_drop": ("ALL",)}, 0, "CHOWN", False),
    "all dropped but one": ({"capabilities_drop": ("ALL",), "capabilities_add": ("CHOWN",)}, 1, "CHOWN", True),
    "all of them": ({"capabilities_add": ("ALL",)}, 41, "SYS_ADMIN", True),
    "all but one": ({"capabilities_add": ("ALL",), "capabilities_drop": ("SYS_ADMIN",)}, 40, "SYS_ADMIN", False),
}


@pytest.mark.parametrize(("changes", "count", "one", "there"), CAPABILITIES.values(), ids=CAPABILITIES)
def test_capabilities(changes, count, one, there):
    found = capabilities(replace(SPEC, **changes))
    assert (len(found), one in found) == (count, there)


def test_variables_of_the_spec_win():
    spec = replace(SPEC, env=(("A", "spec"), ("B", "2")))
    assert dict(environment(IMAGE, spec, "web-0")) == {"PATH": "/bin", "A": "spec", "HOSTNAME": "web-0", "B": "2"}


def test_outer_mounts_come_first():
    spec = replace(SPEC, mounts=tuple(Mount(Path("/x"), target) for target in ("/a/b/c", "/a", "/a/b/")))
    assert [mount["target"] for mount in mounts(spec)] == ["/a", "/a/b/", "/a/b/c"]


USERS = {"the image's": (None, "app"), "the spec's": (7, "7"), "root, said so": (0, "0")}


@pytest.mark.parametrize(("given", "expected"), USERS.values(), ids=USERS)
def test_user(given, expected):
    assert user(IMAGE, replace(SPEC, user=given)) == expected


def a_record(image=IMAGE, spec=SPEC):
    return record(
        image,
        spec,
        id_="c1",
        pod=Path("/pods/u1"),
        hostname="web-0",
        layers=Path("/layers"),
        hidden=["/root/.kube"],
        host_mounts=["/home"],
        groups=[],
    )


def test_the_topmost_layer_is_named_first():
    assert a_record()["lower"] == ["high", "low"]


def test_only_images_of_the_host_have_places_to_hide():
    assert [a_record()[key] for key in ("host", "hidden", "host_mounts")] == [False, [], []]
    found = a_record(dataclasses.replace(IMAGE, host=True))
    assert [found[key] for key in ("host", "hidden", "host_mounts")] == [True, ["/root/.kube"], ["/home"]]


SIGNALS = {
    "the spec's": ("SIGINT", "SIGQUIT", "SIGINT"),
    "the image's": ("", "SIGQUIT", "SIGQUIT"),
    "the usual one": ("", "", "SIGTERM"),
}


@pytest.mark.parametrize(("spec", "image", "expected"), SIGNALS.values(), ids=SIGNALS)
def test_stop_signal(spec, image, expected):
    assert (
        a_record(dataclasses.replace(IMAGE, stop_signal=image), replace(SPEC, stop_signal=spec))["stop_signal"]
        == expected
    )
