"""The pytest plugin: what a test can wish for, and what it is told."""

import pytest

from knarr.testing import sync  # what a test in a test imports is unloaded after it, unless it was there before
from knarr.testing.plugin import Wish, _label

pytest_plugins = ["pytester"]
__all__ = ["sync"]

WISHES = {
    "nothing in particular": (Wish(), ""),
    "no node": (Wish(nodes=0), ""),
    "a seed on virtual time": (Wish(virtual_time=True, seed=7), ""),
    "fewer than no nodes": (Wish(nodes=-1), "nodes=-1 must be a number of nodes, 0 or more"),
    "no number of nodes": (Wish(nodes="3"), "nodes='3' must be a number of nodes, 0 or more"),
    "a runtime that there is not": (Wish(runtime="x"), "runtime='x' must be one of simulated, sandbox"),
    "processes on virtual time": (
        Wish(runtime="sandbox", virtual_time=True),
        "virtual_time=True needs runtime='simulated': processes of 'sandbox' live in real time",
    ),
    "a seed of real time": (Wish(seed=7), "seed=7 needs virtual_time=True: real time follows no seed"),
}
LABELS = {
    "a plain name": ("test_web", "test-web"),
    "a parametrized one": ("test_it[a sentence, as ids are]", "test-it-a-sentence-as-ids-are"),
    "nothing a name may have": ("[]", "test"),
}


@pytest.mark.parametrize("wish, problem", WISHES.values(), ids=WISHES)
def test_a_wish(wish, problem):
    assert wish.problem() == problem


@pytest.mark.parametrize("test, label", LABELS.values(), ids=LABELS)
def test_a_namespace_is_named_after_its_test(test, label):
    assert _label(test) == label


def test_a_long_name_leaves_room_for_a_suffix():
    assert len(_label("test_" + "x" * 100)) == 50


def run(pytester, *arguments):
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def test_nodes_come_from_the_marker_the_command_line_and_the_ini_file_in_this_order(pytester):
    pytester.makeini("[pytest]\nknarr_nodes = 3\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.knarr(nodes=0)
        def test_marked(knarr):
            assert knarr.nodes == ()

        def test_usual(knarr, request):
            assert len(knarr.nodes) == (request.config.getoption("--knarr-nodes") or 3)
        """
    )
    run(pytester).assert_outcomes(passed=2)
    run(pytester, "--knarr-nodes=2").assert_outcomes(passed=2)


def test_a_marker_that_says_something_else_fails_its_test(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.knarr(node=3)
        def test_it(knarr):
            pass
        """
    )
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the marker knarr takes nodes, runtime, seed, virtual_time, each by name; not node"])


def test_each_test_has_a_namespace_of_its_own_in_the_cluster_of_the_session(pytester):
    pytester.makepyfile(
        """
        seen = []

        def test_one(knarr_session):
            seen.append(knarr_session.namespace)
            knarr_session.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}")

        def test_two(knarr_session, knarr_session_cluster):
            assert knarr_session.namespace.startswith("test-two-") and seen[0].startswith("test-one-")
            knarr_session.wait("cm/kube-root-ca.crt")
            assert [m["metadata"]["name"] for m in knarr_session.list("cm")] == ["kube-root-ca.crt"]
            knarr_session_cluster.wait_gone("namespace", seen[0])
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_a_failed_test_tells_what_happened_in_its_cluster(pytester):
    pytester.makepyfile(
        """
        def test_it(knarr):
            knarr.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}")
            assert False
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*what happened in the cluster*", "*create  configmaps/default/mine*"])


def test_real_nodes_without_root_are_skipped_with_the_reason(pytester, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.knarr(runtime="sandbox")
        def test_it(knarr):
            pass
        """
    )
    result = run(pytester, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*nodes of runtime 'sandbox' need root*"])
