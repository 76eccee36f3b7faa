"""The examples that need real nodes, run as their reader would run them."""

import subprocess
import sys

import pytest

from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.e2e

#: runs its arguments on a network and with a /run of its own: the example starts a cluster that knows nothing of others
ALONE = 'mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up && exec "$@"'


def test_an_operator_is_tested_on_sandbox_nodes(host):
    example = "examples/operator/test_operator_on_sandbox_nodes_slow.py"
    flags = ["-q", "-p", "no:cacheprovider", "-o", "knarr_up=--upstream-dns 127.0.0.1"]
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", ALONE, "sh", sys.executable, "-m", "pytest", *flags, example],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
