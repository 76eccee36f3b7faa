"""Plugins with tables of their own: limit ranges, runtime classes, growing claims, certificates."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from knarr.kinds.types.certificates_v1 import CertificateSigningRequest
from knarr.kinds.types.core_v1 import PersistentVolumeClaim, Pod
from knarr.meta.errors import Forbidden, Invalid
from knarr.testing.cluster import Cluster

RANGE = "{apiVersion: v1, kind: LimitRange, metadata: {name: l}, spec: {limits: [%s]}}"
POD = """
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: c, image: i, resources: %s}, {name: d, image: i, resources: %s}]}
"""
HALF = "{requests: {cpu: 500m}, limits: {cpu: 500m}}"


@pytest.fixture
async def cluster():
    async with Cluster([]) as found:
        yield found


BOUNDS = {
    "too much": (
        "{type: Container, max: {cpu: 400m}}",
        HALF,
        "maximum cpu usage per Container is 400m, but limit is 500m",
    ),
    "too little": (
        "{type: Container, min: {cpu: 600m}}",
        HALF,
        "minimum cpu usage per Container is 600m, but request is 500m",
    ),
    "too much together": ("{type: Pod, max: {cpu: 900m}}", HALF, "maximum cpu usage per Pod is 900m, but limit is 1"),
    "nothing said": (
        "{type: Pod, max: {memory: 1Gi}}",
        HALF,
        "maximum memory usage per Pod is 1Gi.  No limit is specified",
    ),
    "a wide gap": (
        "{type: Container, maxLimitRequestRatio: {cpu: 2}}",
        "{requests: {cpu: 100m}, limits: {cpu: 500m}}",
        "cpu max limit to request ratio per Container is 2, but provided ratio is 5.000000",
    ),
}


@pytest.mark.parametrize(("limit", "resources", "message"), BOUNDS.values(), ids=BOUNDS)
async def test_a_pod_beyond_a_range_is_refused(cluster, limit, resources, message):
    await cluster.apply(RANGE % limit)
    with pytest.raises(Forbidden) as refused:
        await cluster.apply(POD % (resources, resources))
    assert str(refused.value) == f'pods "p" is forbidden: {message}'


async def test_a_container_gets_what_a_range_defaults(cluster):
    await cluster.apply(RANGE % "{type: Container, default: {cpu: 300m}, defaultRequest: {cpu: 100m, memory: 1Mi}}")
    await cluster.apply(POD % (HALF, "{}"))
    pod = await cluster.api.get(Pod, "p", "default")
    first, second = (container.resources for container in pod.spec.containers)
    assert (first.requests, first.limits) == ({"cpu": "500m", "memory": "1Mi"}, {"cpu": "500m"})
    assert (second.requests, second.limits) == ({"cpu": "100m", "memory": "1Mi"}, {"cpu": "300m"})
    assert pod.metadata.annotations["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: memory request for container c; cpu, memory request for container d; "
        "cpu limit for container d"
    )


CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: c}
spec: {accessModes: [ReadWriteOnce], storageClassName: %s, resources: {requests: {storage: 1Gi}}}
"""
CLASS = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: %s}
provisioner: p
allowVolumeExpansion: %s
"""


async def test_a_claim_is_held_to_a_range(cluster):
    await cluster.apply(RANGE % "{type: PersistentVolumeClaim, max: {storage: 500Mi}}")
    with pytest.raises(Forbidden, match="maximum storage usage per PersistentVolumeClaim is 500Mi, but request is 1Gi"):
        await cluster.apply(CLAIM % "fast")


@pytest.mark.parametrize("grows", [True, False])
async def test_a_claim_grows_when_its_class_lets_it(cluster, grows):
    await cluster.apply(CLASS % ("fast", str(grows).lower()), CLAIM % "fast")
    bigger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    with pytest.raises((Forbidden, Invalid)):
        await cluster.api.patch(PersistentVolumeClaim, "c", "default", bigger)
    bound = {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
    await cluster.api.patch(PersistentVolumeClaim, "c", "default", bound, subresource="status")
    if grows:
        await cluster.api.patch(PersistentVolumeClaim, "c", "default", bigger)
    else:
        with pytest.raises(Forbidden, match="only dynamically provisioned pvc can be resized"):
            await cluster.api.patch(PersistentVolumeClaim, "c", "default", bigger)


RUNTIME = """
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: heavy}
handler: runc
overhead: {podFixed: {cpu: 250m}}
scheduling: {nodeSelector: {disk: ssd}, tolerations: [{key: heavy, operator: Exists}]}
"""
RUNS = """
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {runtimeClassName: %s, containers: [{name: c, image: i}]%s}
"""


async def test_a_pod_gets_what_its_runtime_class_adds(cluster):
    await cluster.apply(RUNTIME, RUNS % ("heavy", ""))
    spec = (await cluster.api.get(Pod, "p", "default")).spec
    assert (spec.overhead, spec.nodeSelector) == ({"cpu": "250m"}, {"disk": "ssd"})
    assert "heavy" in [toleration.key for toleration in spec.tolerations]


UNRUN = {
    "an unknown class": (("light", ""), 'pod rejected: RuntimeClass "light" not found'),
    "another overhead": (("heavy", ", overhead: {cpu: 1m}"), "Overhead doesn't match"),
    "another place": (("heavy", ", nodeSelector: {disk: hdd}"), "conflict: runtimeClass.scheduling.nodeSelector"),
}


@pytest.mark.parametrize(("wanted", "message"), UNRUN.values(), ids=UNRUN)
async def test_a_pod_that_contradicts_its_runtime_class_is_refused(cluster, wanted, message):
    await cluster.apply(RUNTIME)
    with pytest.raises(Forbidden) as refused:
        await cluster.apply(RUNS % wanted)
    assert message in str(refused.value)


def request(*organizations):
    names = [x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, name) for name in organizations]
    subject = x509.Name([*names, x509.NameAttribute(x509.NameOID.COMMON_NAME, "ann")])
    signed = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


def asking(*organizations):
    import json

    return json.dumps(
        {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": "r"},
            "spec": {
                "request": request(*organizations),
                "signerName": "kubernetes.io/kube-apiserver-client",
                "usages": ["client auth"],
                "username": "somebody-else",
            },
        }
    )


async def test_a_certificate_request_names_its_author_and_asks_for_no_masters(cluster):
    with pytest.raises(Forbidden, match="signer with system:masters group is not allowed"):
        await cluster.apply(asking("system:masters"))
    await cluster.apply(asking("team"))
    assert (await cluster.api.get(CertificateSigningRequest, "r")).spec.username == "system:admin"


APPROVED = {"type": "Approved", "status": "True", "reason": "Fine"}
RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: approver}
rules:
- apiGroups: [certificates.k8s.io]
  resources: [certificatesigningrequests/approval, certificatesigningrequests/status]
  verbs: ["*"]
%s
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: approver}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: approver}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}]
"""
SIGNER = (
    "- {apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: ['kubernetes.io/*'], verbs: [approve]}"
)


@pytest.mark.parametrize("may", [True, False])
async def test_approving_takes_a_right_on_the_signer(cluster, may):
    await cluster.apply(asking("team"), RIGHTS % (SIGNER if may else ""))
    patch = {"spec": {"username": "x"}, "status": {"conditions": [APPROVED], "certificate": "eA=="}}
    bob = cluster.client("bob", "team")
    if not may:
        with pytest.raises(Forbidden, match="user not permitted to approve requests with signerName"):
            await bob.patch(CertificateSigningRequest, "r", "", patch, subresource="approval")
        return
    await bob.patch(CertificateSigningRequest, "r", "", patch, subresource="approval")
    found = await cluster.api.get(CertificateSigningRequest, "r")
    assert [c.type for c in found.status.conditions] == ["Approved"]
    assert (found.spec.username, found.status.certificate) == ("system:admin", "")
    with pytest.raises(Invalid, match="may not remove a condition"):
        await bob.patch(CertificateSigningRequest, "r", "", {"status": {"conditions": []}}, subresource="approval")
    with pytest.raises(Forbidden, match="user not permitted to sign requests"):
        await bob.patch(CertificateSigningRequest, "r", "", {"status": {"certificate": "eA=="}}, subresource="status")
