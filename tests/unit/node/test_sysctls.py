"""Which kernel parameters a pod may set."""

import pytest

from knarr.node.sysctls import forbidden
from tests.unit.node.builders import a_pod

CASES = {
    "one of its own network": ({}, "net.ipv4.tcp_syncookies", ""),
    "with slashes, too": ({}, "net/ipv4/tcp_syncookies", ""),
    "not of the host's network": (
        {"hostNetwork": True},
        "net.ipv4.tcp_syncookies",
        'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host net enabled',
    ),
    "not of the host's memory": (
        {"hostIPC": True},
        "kernel.shm_rmid_forced",
        'forbidden sysctl: "kernel.shm_rmid_forced" not allowed with host ipc enabled',
    ),
    "not the whole kernel's": ({}, "kernel.core_pattern", 'forbidden sysctl: "kernel.core_pattern" not allowlisted'),
    "not the whole kernel's, with slashes": (
        {},
        "kernel/core_pattern",
        'forbidden sysctl: "kernel.core_pattern" not allowlisted',
    ),
    "nothing elsewhere": ({}, "net.ipv4..x", 'forbidden sysctl: "net.ipv4..x" not allowlisted'),
}


@pytest.mark.parametrize("spec, name, refusal", CASES.values(), ids=CASES)
def test_a_pod_may_set(spec, name, refusal):
    pod = a_pod(**spec, securityContext={"sysctls": [{"name": name, "value": "1"}]})
    assert forbidden(pod) == refusal
