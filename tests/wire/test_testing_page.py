"""The examples of docs/testing.md, run as its readers would run them."""

import re
from pathlib import Path

import kubernetes.client
import lightkube.resources.core_v1  # what the examples import is unloaded after each, unless it was there before
import pytest

from knarr.testing import plugin
from knarr.testing.plugin import Wish
from knarr.testing.sync import SyncCluster

pytest_plugins = ["pytester"]

__all__ = ["kubernetes", "lightkube"]
PAGE = Path(__file__).resolve().parents[2] / "docs/testing.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)


@pytest.mark.parametrize("example", EXAMPLES, ids=[re.findall(r"def (test_\w+)", text)[0] for text in EXAMPLES])
def test_an_example(pytester, example):
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(example)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=len(re.findall(r"^(?:async )?def test_", example, re.M)))


def test_the_page_names_every_fixture_option_and_verb():
    source = Path(plugin.__file__).read_text()
    fixtures = re.findall(r"@pytest\.fixture.*\ndef (\w+)", source)
    options = [*re.findall(r'"(--knarr-\w+)"', source), *re.findall(r'addini\("(\w+)"', source)]
    verbs = [name for name in dir(SyncCluster) if not name.startswith("_")]
    inner = {"thread", "verbs", "aio", "namespace", "nodes", "what_happened"}
    wanted = {*fixtures, *options, *Wish.__dataclass_fields__, *verbs} - inner
    text = PAGE.read_text()
    assert sorted(name for name in wanted if name not in text) == []
