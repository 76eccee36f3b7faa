"""The ranges of a cluster: checked before anything begins, and never others afterwards."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from knarr.app import address_ranges
from knarr.app.config import Cluster, ConfigError

DUAL = "10.96.0.0/16,fd00:10:96::/112"
HERE = Cluster(name="c", data_dir=Path("/data/c"), runtime="simulated")
REAL = replace(HERE, runtime="sandbox")

REFUSED = {
    "what is no range": (replace(HERE, service_cidr="x"), None, "--service-cidr x: must be a range"),
    "another range for what is there": (
        replace(HERE, service_cidr=DUAL),
        HERE,
        "cluster 'c' has --service-cidr 10.96.0.0/16 and --cluster-cidr 10.244.0.0/16; they are of a new cluster alone",
    ),
    "another IPv4 range with real nodes": (
        replace(REAL, service_cidr="10.50.0.0/16"),
        None,
        "--service-cidr 10.50.0.0/16: on nodes of runtime sandbox the first range must be",
    ),
}


@pytest.mark.parametrize("cluster, before, message", REFUSED.values(), ids=REFUSED)
def test_refused(cluster, before, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        address_ranges.check(cluster, before)


TAKEN = {
    "any range with simulated nodes": (replace(HERE, service_cidr="10.50.0.0/16,fd00::/112"), None),
    "the same range said in full": (replace(HERE, service_cidr="10.96.0.0/16"), HERE),
    "the usual one with real nodes": (REAL, None),
}


@pytest.mark.parametrize("cluster, before", TAKEN.values(), ids=TAKEN)
def test_taken(cluster, before):
    address_ranges.check(cluster, before)
