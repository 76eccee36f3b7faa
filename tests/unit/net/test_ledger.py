"""Which pod has which address, as an agent that starts again reads it."""

import pytest

from knarr.net.node_pods import PodNetwork
from knarr.net.plan import NetworkPlan


@pytest.mark.parametrize("text", ["", '{"last": "10.244.0', "nothing"])
async def test_a_record_that_a_power_cut_left_half_written_is_none(tmp_path, text):
    (tmp_path / "addresses.json").write_text(text)
    assert await PodNetwork(NetworkPlan("e2e"), 0, tmp_path / "addresses.json").pods() == {}
