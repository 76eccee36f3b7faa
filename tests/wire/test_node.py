"""npm's `@kubernetes/client-node`: the cases of `node/cases.mjs`, run by one process of Node."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "node"
CLIENT = "@kubernetes/client-node"
OPERATIONS = re.findall(r'^  "(.+)": async', (HERE / "cases.mjs").read_text(), re.MULTILINE)
ABSENT = "NOT TESTED: ./scripts/setup --tests installs Node and its client, and could not; see what it said"


@pytest.fixture(scope="module")
def outcomes(simulated):
    """What was wrong, by operation; None where nothing was."""
    node = shutil.which("node")
    if node is None or not (HERE / "node_modules" / CLIENT).is_dir():
        pytest.skip(ABSENT)
    ran = subprocess.run([node, HERE / "run.mjs", simulated.made], capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize(
    "operation",
    [pytest.param(operation, marks=pytest.mark.operation(CLIENT, operation), id=operation) for operation in OPERATIONS],
)
def test_the_client_works(outcomes, operation):
    assert outcomes[operation] is None


def test_every_case_is_known(outcomes):
    assert sorted(outcomes) == sorted(OPERATIONS)
