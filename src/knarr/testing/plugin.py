"""The pytest plugin: a Kubernetes cluster as a fixture. pytest finds it by itself when knarr is installed.

`knarr` is a cluster of the test's own, `knarr_session` a namespace of the test's own in a cluster that all tests of the
process share. `@pytest.mark.knarr(nodes=3, virtual_time=True, seed=7)` says what the test's own cluster is like. When a
test fails, its report says what happened in the cluster. `knarr_kubeconfig` leads clients in this process to it.
"""

import os
import re
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from knarr.testing.sync import SyncCluster

RUNTIMES = ("simulated", "sandbox")
MARKER = (
    "knarr(nodes=1, runtime='simulated', virtual_time=False, seed=None): the cluster of the fixture `knarr`; "
    "runtime='sandbox' has real nodes and needs root"
)
USED = pytest.StashKey["SyncCluster"]()


@dataclass(frozen=True)
class Wish:
    """What a cluster is to be like."""

    nodes: int = 1
    runtime: str = "simulated"
    virtual_time: bool = False
    seed: int | None = None

    def problem(self) -> str:
        """Why there can be no such cluster; "" when there can."""
        if not isinstance(self.nodes, int) or self.nodes < 0:
            return f"nodes={self.nodes!r} must be a number of nodes, 0 or more"
        if self.runtime not in RUNTIMES:
            return f"runtime={self.runtime!r} must be one of {', '.join(RUNTIMES)}"
        if self.virtual_time and self.runtime != "simulated":
            return f"virtual_time=True needs runtime='simulated': processes of {self.runtime!r} live in real time"
        if self.seed is not None and not self.virtual_time:
            return f"seed={self.seed!r} needs virtual_time=True: real time follows no seed"
        return ""


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    _import_as_ever(pluginmanager)
    group = parser.getgroup("knarr", "clusters of knarr")
    group.addoption("--knarr-nodes", type=int, metavar="N", help="nodes of a cluster whose test does not say how many")
    group.addoption("--knarr-runtime", choices=RUNTIMES, help="runtime of a cluster whose test does not say which")
    parser.addini("knarr_nodes", "nodes of a cluster whose test does not say how many", default="1")
    parser.addini("knarr_runtime", "runtime of a cluster whose test does not say which", default="simulated")
    parser.addini("knarr_up", "more flags of `knarr up`, for clusters of real nodes", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what happened in the cluster to the report of a test that failed."""
    report = yield
    if report.failed and (cluster := item.stash.get(USED, None)) is not None:
        report.sections.append(("what happened in the cluster", cluster.what_happened()))
    return report


@pytest.fixture
def knarr(request: pytest.FixtureRequest) -> "Iterator[SyncCluster]":
    """A cluster of the test's own: an API server, every controller, a scheduler and simulated nodes, in this process.

    See `knarr.testing.sync.SyncCluster`. Of the marker `knarr`: `nodes`, `runtime`, `virtual_time` and `seed`.
    """
    wish = replace(_usual(request.config), **_marked(request.node))
    for cluster in _running(wish, request.config):
        request.node.stash[USED] = cluster
        yield cluster
        del request.node.stash[USED]


@pytest.fixture(scope="session")
def knarr_session_cluster(pytestconfig: pytest.Config) -> "Iterator[SyncCluster]":
    """The cluster behind `knarr_session`, for what the tests share: definitions, cluster roles, an operator."""
    yield from _running(_usual(pytestconfig), pytestconfig)


@pytest.fixture
def knarr_session(knarr_session_cluster: "SyncCluster", request: pytest.FixtureRequest) -> "Iterator[SyncCluster]":
    """A namespace of the test's own in the cluster of the session, deleted after the test without waiting for it."""
    from knarr.meta import clock
    from knarr.meta.errors import NotFound

    name = f"{_label(request.node.name)}-{clock.suffix()}"
    cluster = knarr_session_cluster.within(name)
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    request.node.stash[USED] = cluster
    yield cluster
    del request.node.stash[USED]
    with suppress(NotFound):
        cluster.delete("namespace", name)


@pytest.fixture
def knarr_kubeconfig(request: pytest.FixtureRequest) -> "Iterator[Path]":
    """The kubeconfig of `knarr_session`, if the test uses that, else of `knarr`; while the test runs, it is this
    process's own: what is in $KUBECONFIG, and what clients that have read the variable earlier use.
    """
    from knarr.testing.environment import using

    shared = "knarr_session" in request.fixturenames
    cluster: SyncCluster = request.getfixturevalue("knarr_session" if shared else "knarr")
    with using(cluster.kubeconfig):
        yield cluster.kubeconfig


def _import_as_ever(pluginmanager: pytest.PytestPluginManager) -> None:
    """Take knarr out of the packages whose asserts pytest rewrites, which are all that bring plugins.

    It has hundreds of modules: to compile them anew would cost the first cluster of a run seconds.
    """
    rewritten = getattr(pluginmanager.rewrite_hook, "_must_rewrite", None)
    if isinstance(rewritten, set):  # no public name for it; without it the import is only slower
        rewritten.discard("knarr")


def _running(wish: Wish, config: pytest.Config) -> "Iterator[SyncCluster]":
    if problem := wish.problem():
        pytest.fail(f"knarr: {problem}", pytrace=False)
    if wish.runtime == "simulated":
        from knarr.testing.cluster import Cluster

        with Cluster(nodes=wish.nodes, virtual_time=wish.virtual_time, seed=wish.seed) as simulated:
            yield simulated
        return
    if reason := _why_not_real():
        pytest.skip(reason)
    from knarr.testing.real import RealCluster

    with RealCluster(wish.nodes, runtime=wish.runtime, up=config.getini("knarr_up")) as real:
        yield real  # type: ignore[misc]  # it has the same verbs, and no control over time


def _why_not_real() -> str:
    """Why this machine can have no real nodes; "" when it can."""
    if sys.platform != "linux":
        return f"knarr: nodes of runtime 'sandbox' are Linux namespaces; this is {sys.platform}"
    if os.geteuid() != 0:
        return "knarr: nodes of runtime 'sandbox' need root, for namespaces and the network"
    return ""


def _usual(config: pytest.Config) -> Wish:
    """What the command line says, or else the ini file."""
    nodes, runtime = config.getoption("--knarr-nodes"), config.getoption("--knarr-runtime")
    given = str(config.getini("knarr_nodes"))
    if nodes is None and not given.isdigit():
        raise pytest.UsageError(f"knarr_nodes = {given}: must be a number of nodes, 0 or more")
    return Wish(int(given) if nodes is None else nodes, runtime or str(config.getini("knarr_runtime")))


def _marked(item: pytest.Item) -> dict[str, Any]:
    """What the markers say, the nearest one last."""
    said: dict[str, Any] = {}
    known = {field.name for field in fields(Wish)}
    for marker in reversed(list(item.iter_markers("knarr"))):
        if marker.args or not marker.kwargs.keys() <= known:
            wrong = ", ".join([*map(repr, marker.args), *sorted(marker.kwargs.keys() - known)])
            pytest.fail(f"the marker knarr takes {', '.join(sorted(known))}, each by name; not {wrong}", pytrace=False)
        said |= marker.kwargs
    return said


def _label(test: str) -> str:
    """A test's name as a namespace's may be, with room for a suffix."""
    return re.sub("[^a-z0-9]+", "-", test.lower()).strip("-")[:50].strip("-") or "test"
