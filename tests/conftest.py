"""What every test shares: how hypothesis looks for examples, and the table of what clients showed."""

import os

from hypothesis import settings

# No deadline: machines are noisy, and speed belongs in benchmarks. In CI the examples are the same each time.
settings.register_profile("knarr", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("knarr")

# A kubectl lives for a tenth of a second; collecting its garbage would be a third of that.
os.environ.setdefault("GOGC", "400")

pytest_plugins = ["tests.wire.compatibility"]
