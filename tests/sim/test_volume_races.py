"""Claims and volumes that race for each other: one winner, nothing leaks, and who waits is told why."""

import pytest

from tests.sim.volume_races import race


@pytest.mark.parametrize("seed", range(36))
def test_a_volume_has_one_claim(seed):
    assert race(seed).said == ""
