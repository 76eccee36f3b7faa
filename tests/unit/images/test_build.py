"""Building images in a temporary store, and what is in them afterwards. Owners can only be set by root."""

import os

import pytest

from knarr.node.images.store import ImageError, ImageStore

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="layers keep owners, which takes root")


@pytest.fixture
def store(tmp_path):
    return ImageStore(tmp_path / "images")


@pytest.fixture
def context(tmp_path):
    path = tmp_path / "context"
    (path / "src").mkdir(parents=True)
    (path / "app.js").write_text("hello")
    (path / "src" / "a.txt").write_text("a")
    (path / "src" / "b.log").write_text("b")
    return path


def built(store, context, text, name="kubia-stored"):
    (context / "Dockerfile").write_text(text)
    return store.build(name, context)


def tree(store, image):
    """Every file of the image's layers and what is in it."""
    found = {}
    for layer in image.layers:
        for path in sorted((store.layers / layer).rglob("*")):
            if path.is_file() or path.is_symlink():
                found["/" + str(path.relative_to(store.layers / layer))] = path.read_text()
    return found


COPIES = {
    "a file under a name": ("ADD app.js /app.js", {"/app.js": "hello"}),
    "a file into a directory": ("COPY app.js /srv/x/", {"/srv/x/app.js": "hello"}),
    "a file into the working directory": ("WORKDIR /w\nCOPY app.js .", {"/w/app.js": "hello"}),
    "a directory's contents": ("COPY src /data", {"/data/a.txt": "a", "/data/b.log": "b"}),
    "everything": (
        "COPY . /all",
        {"/all/Dockerfile": None, "/all/app.js": "hello", "/all/src/a.txt": "a", "/all/src/b.log": "b"},
    ),
    "a pattern": ("COPY src/*.txt /data/", {"/data/a.txt": "a"}),
    "several": ("COPY app.js src/a.txt /data/", {"/data/app.js": "hello", "/data/a.txt": "a"}),
    "a later layer over an earlier one": ("COPY app.js /f\nCOPY src/a.txt /f", {"/f": "a"}),
}


@pytest.mark.parametrize(("text", "expected"), COPIES.values(), ids=COPIES)
def test_copied(store, context, text, expected):
    found = tree(store, built(store, context, f"FROM scratch\n{text}\n"))
    assert found.keys() == expected.keys()
    assert all(found[path] == content for path, content in expected.items() if content is not None)


def test_ignored_files_stay_outside(store, context):
    (context / ".dockerignore").write_text("**/*.log\n")
    assert tree(store, built(store, context, "FROM scratch\nCOPY src /d")) == {"/d/a.txt": "a"}


def test_a_link_of_the_image_is_followed_not_replaced(store, context):
    (context / "src" / "link").symlink_to("srv")
    base = built(store, context, "FROM scratch\nCOPY src /", "base")
    assert base is not None
    image = built(store, context, "FROM base\nCOPY app.js /link/app.js", "child")
    assert (store.layers / image.layers[-1] / "srv" / "app.js").read_text() == "hello"


def test_a_directory_below_keeps_its_mode(store, context):
    (context / "src").chmod(0o1777)
    built(store, context, "FROM scratch\nCOPY . /", "base")
    image = built(store, context, "FROM base\nCOPY app.js /src/app.js", "child")
    assert (store.layers / image.layers[-1] / "src").stat().st_mode & 0o7777 == 0o1777


def test_owner_and_mode_can_be_given(store, context):
    image = built(store, context, "FROM scratch\nCOPY --chown=1000:1001 --chmod=750 app.js /app.js")
    status = (store.layers / image.layers[0] / "app.js").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (1000, 1001, 0o750)


def test_the_same_build_is_the_same_image(store, context):
    text = "FROM host\nADD app.js /app.js\nENTRYPOINT node app.js\n"
    first, second = built(store, context, text), built(store, context, text, "kubia-stored:v2")
    assert first.id == second.id
    assert second.names == ("docker.io/library/kubia-stored:latest", "docker.io/library/kubia-stored:v2")
    assert len(store.ls()) == 1


def test_a_name_moves_on_to_the_next_build(store, context):
    first = built(store, context, "FROM host\nADD app.js /app.js")
    (context / "app.js").write_text("v2")
    second = built(store, context, "FROM host\nADD app.js /app.js")
    assert first.id != second.id
    assert store.find("kubia-stored").id == second.id
    assert store.find(first.id).names == ()


def test_an_image_is_listed_under_each_of_its_names(store, context):
    for name in ("one", "two:v1"):
        built(store, context, "FROM scratch", name)
    (image,) = store.ls()
    assert image.all_familiar == [("one", "latest"), ("two", "v1")]


def test_the_host_brings_its_path(store, context, monkeypatch):
    monkeypatch.setenv("PATH", "/opt/bin:/usr/bin")
    image = built(store, context, "FROM host\nENTRYPOINT node app.js")
    assert image.host
    assert dict(image.env) == {"PATH": "/opt/bin:/usr/bin"}


def test_configuration(store, context):
    image = built(
        store,
        context,
        """FROM scratch
ARG port=8080
ENV A=1 PORT=$port
WORKDIR /a
WORKDIR b
EXPOSE $PORT 53/udp
USER 1000:1000
LABEL who="a b"
CMD ["x"]
ENTRYPOINT ["run", "it"]
""",
    )
    assert (image.env, image.working_dir, image.exposed) == (
        (("A", "1"), ("PORT", "8080")),
        "/a/b",
        ("53/udp", "8080/tcp"),
    )
    assert (image.user, image.labels, image.entrypoint, image.command) == (
        "1000:1000",
        {"who": "a b"},
        ("run", "it"),
        ("x",),
    )


def test_an_entrypoint_drops_the_command_of_the_base(store, context):
    built(store, context, 'FROM scratch\nCMD ["old"]', "base")
    assert built(store, context, 'FROM base\nENTRYPOINT ["new"]', "child").command == ()


BAD = {
    "an image that is not here, with the way out": (
        "FROM daocloud.io/library/node:8.2.1-alpine\nADD app.js /app.js\n",
        "Dockerfile line 1: FROM daocloud.io/library/node:8.2.1-alpine: .*FROM host",
    ),
    "RUN": ("FROM host\nADD app.js /\nRUN npm i\n", "Dockerfile line 3: can't do RUN"),
    "a file that is not there": ("FROM host\nADD nope /\n", "Dockerfile line 2: .*stat nope: file does not exist"),
    "a way out of the directory": ("FROM host\nADD ../x /\n", "line 2: .*forbidden path outside the build context"),
    "a link out of the directory": ("FROM host\nADD out /\n", "line 2: .*forbidden path outside the build context"),
    "a URL": ("FROM host\nADD http://localhost/x /\n", "line 2: can't do ADD from a URL"),
    "a second stage": ("FROM host\nFROM scratch\n", "line 2: can't do a second FROM"),
    "another stage's files": ("FROM host\nCOPY --from=x a /\n", "line 2: can't do COPY --from"),
    "something before FROM": ("ENV a=1\nFROM host\n", "line 1: no build stage"),
    "a port that is none": ("FROM host\nEXPOSE http\n", "line 2: Invalid containerPort: http"),
}


@pytest.mark.parametrize(("text", "why"), BAD.values(), ids=BAD)
def test_what_cannot_be_built(store, context, text, why):
    (context / "out").symlink_to("/etc/passwd")
    with pytest.raises(ImageError, match=why):
        built(store, context, text)
    assert store.ls() == []
    assert not store.layers.exists() or not [path for path in store.layers.iterdir() if path.name.startswith(".")]


def test_a_directory_without_dockerfile_says_so(store, tmp_path):
    with pytest.raises(ImageError, match="Dockerfile: No such file or directory"):
        store.build("x", tmp_path)
