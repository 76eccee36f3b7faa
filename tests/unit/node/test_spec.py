"""What a runtime is asked for a pod's containers."""

from dataclasses import replace
from pathlib import Path

import pytest

from knarr.node.config import NodeConfig
from knarr.node.runtimes.runtime import RuntimeFailure, Seccomp
from knarr.node.spec import container_spec
from tests.unit.node.builders import a_pod

CONFIG = NodeConfig(name="n0", node_ip="10.0.0.1", folder=Path("/nodes/n0"))
FILE = {"type": "Localhost", "localhostProfile": "team/a.json"}
PROFILES = {
    "nobody says": (None, None, False, Seccomp()),
    "nobody says, but the node": (None, None, True, Seccomp("RuntimeDefault")),
    "the pod says": ({"type": "RuntimeDefault"}, None, False, Seccomp("RuntimeDefault")),
    "the container knows better": ({"type": "RuntimeDefault"}, {"type": "Unconfined"}, True, Seccomp()),
    "a file of the node": (None, FILE, False, Seccomp("Localhost", Path("/nodes/n0/seccomp/team/a.json"))),
}


def profiled(pod, container, *, by_default=False):
    spec = {"container": {"securityContext": {"seccompProfile": container}} if container else {}}
    if pod:
        spec["securityContext"] = {"seccompProfile": pod}
    made = a_pod(**spec)
    config = replace(CONFIG, seccomp_default=by_default)
    return container_spec(made, made.spec.containers[0], 0, {}, (), config).seccomp


@pytest.mark.parametrize("pod, container, by_default, expected", PROFILES.values(), ids=PROFILES)
def test_the_seccomp_profile_when(pod, container, by_default, expected):
    assert profiled(pod, container, by_default=by_default) == expected


def test_a_profile_of_the_node_has_a_name():
    with pytest.raises(RuntimeFailure, match="localhostProfile must be set if seccompProfile type is Localhost"):
        profiled(None, {"type": "Localhost"})
