"""Names of images, short and full."""

import re

import pytest

from knarr.node.images.name import familiar, normalised

FULL = "docker.io/library/kubia-stored:latest"
NAMES = {
    "a bare name is a library image, latest": ("kubia-stored", FULL),
    "its full name is itself": (FULL, FULL),
    "a tag is kept": ("kubia-stored:v2", "docker.io/library/kubia-stored:v2"),
    "a user's image has no library": ("me/app", "docker.io/me/app:latest"),
    "a registry is kept": ("quay.io/me/app:1.0", "quay.io/me/app:1.0"),
    "a registry may have a port": ("localhost:5000/app", "localhost:5000/app:latest"),
    "a mirror with library in its path": (
        "daocloud.io/library/node:8.2.1-alpine",
        "daocloud.io/library/node:8.2.1-alpine",
    ),
    "the old index is the same registry": ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
    "a digest takes the tag's place": (f"nginx@sha256:{'a' * 64}", f"docker.io/library/nginx@sha256:{'a' * 64}"),
}


@pytest.mark.parametrize(("name", "expected"), NAMES.values(), ids=NAMES)
def test_normalised(name, expected):
    assert normalised(name) == expected
    assert normalised(expected) == expected


BAD = {
    "capitals": ("Kubia", "repository name (library/Kubia) must be lowercase"),
    "nothing": ("", "invalid reference format"),
    "a space": ("a b", "invalid reference format"),
    "an empty tag": ("kubia:/", "invalid reference format"),
    "a short digest": ("kubia@sha256:12", "invalid reference format"),
}


@pytest.mark.parametrize(("name", "why"), BAD.values(), ids=BAD)
def test_what_is_no_name(name, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        normalised(name)


FAMILIAR = {
    "without registry and library": (FULL, ("kubia-stored", "latest")),
    "another registry stays": ("quay.io/me/app:1.0", ("quay.io/me/app", "1.0")),
}


@pytest.mark.parametrize(("name", "expected"), FAMILIAR.values(), ids=FAMILIAR)
def test_familiar(name, expected):
    assert familiar(name) == expected
