"""What every test shares: how hypothesis looks for examples, and the table of what clients showed."""

import os

import pytest
from hypothesis import settings

# No deadline: machines are noisy, and speed belongs in benchmarks. A change is judged by the same examples each time;
# others, and more of them, are drawn with `--hypothesis-profile search`.
settings.register_profile("knarr", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("knarr")

# A kubectl lives for a tenth of a second; collecting its garbage would be a third of that.
os.environ.setdefault("GOGC", "400")

pytest_plugins = ["tests.wire.compatibility"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long: `scripts/test` gives each to one of its processes, in this order."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
