"""What the server accepts but warns of."""

import msgspec
import pytest

from knarr.kinds.table import BUILTIN


def pod(metadata=None, **spec):
    return "Pod", {"metadata": metadata or {}, "spec": {"containers": [{"name": "c"}], **spec}}


def having(**fields):
    return pod(containers=[{"name": "c", **fields}])


def service(**spec):
    given = {"type": "ClusterIP", "clusterIPs": ["10.96.0.9"], "sessionAffinity": "None", **spec}
    return "Service", {"spec": given}


def variables(*values):
    return having(env=[{"name": "A", "value": value} for value in values])


ENV = "spec.containers[0].env[1]"
PORTS = "spec.containers[0].ports"
CASES = {
    "a plain pod gives no warning": (pod(), []),
    "an old label of nodes has a new name": (
        pod(nodeSelector={"beta.kubernetes.io/os": "linux"}),
        ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
    ),
    "a spread that selects nothing is useless": (
        pod(topologySpreadConstraints=[{"topologyKey": "zone"}]),
        ["spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod"],
    ),
    "an annotation that nobody reads any more": (
        pod({"annotations": {"scheduler.alpha.kubernetes.io/critical-pod": ""}}),
        [
            "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "
            '"priorityClassName" field instead'
        ],
    ),
    "a volume of a plugin that is gone": (
        pod(volumes=[{"name": "v", "rbd": {}}]),
        ["spec.volumes[0].rbd: deprecated in v1.28, non-functional in v1.31+"],
    ),
    "a secret named twice": (
        pod(imagePullSecrets=[{"name": "a"}, {"name": "a"}]),
        ['spec.imagePullSecrets[1].name: duplicate name "a"'],
    ),
    "half a byte": (
        having(resources={"limits": {"memory": "500m"}}),
        ['spec.containers[0].resources.limits[memory]: fractional byte value "500m" is invalid, must be an integer'],
    ),
    "a variable that hides another": (
        variables("1", "2"),
        [f'{ENV}: hides previous definition of "A", which may be dropped when using apply'],
    ),
    "a variable that builds on another": (variables("1", "$(A)2"), []),
    "a port twice": (
        having(ports=[{"containerPort": 80}, {"containerPort": 80}]),
        [f"{PORTS}[1]: duplicate port definition with {PORTS}[0]"],
    ),
    "a port on the host and not": (
        having(ports=[{"containerPort": 80, "hostPort": 8080}, {"containerPort": 80}]),
        [f"{PORTS}[1]: overlapping port definition with {PORTS}[0]"],
    ),
    "a template warns at its own path": (
        ("ReplicationController", {"spec": {"template": {"spec": {"nodeSelector": {"beta.kubernetes.io/os": "x"}}}}}),
        [
            'spec.template.spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" '
            "instead"
        ],
    ),
    "a headless service has no load balancer": (
        service(clusterIPs=["None"], loadBalancerIP="1.2.3.4"),
        ["spec.loadBalancerIP is ignored for headless services"],
    ),
    "an alias that isn't one": (
        service(externalName="a.example.com"),
        ['spec.externalName is ignored when spec.type is not "ExternalName"'],
    ),
    "a certificate that is none": (
        ("Secret", {"type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}}),
        ["tls: failed to find any PEM data in certificate input"],
    ),
}


@pytest.mark.parametrize("given, expected", CASES.values(), ids=CASES)
def test_warnings(given, expected):
    kind = BUILTIN.by_kind("", "v1", given[0])
    assert kind is not None
    assert list(kind.warnings(msgspec.convert(given[1], kind.type))) == expected
