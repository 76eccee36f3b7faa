"""What the Pod Security Standards let through, and in which words they refuse."""

import msgspec
import pytest

from knarr.client.transport import Request, User
from knarr.kinds.types.core_v1 import Namespace, PodSpec
from knarr.meta.errors import Forbidden, Invalid
from knarr.server.admission.pod_security_checks import LATEST, violations
from knarr.testing.cluster import Cluster

GOOD = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def spec(container=None, context=None, **more):
    one = (
        {"name": "c", "image": "i", "securityContext": container}
        if container is not None
        else {"name": "c", "image": "i"}
    )
    return {"containers": [one], **({"securityContext": context} if context is not None else {}), **more}


RESTRICTED = (
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), '
    'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), '
    'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), '
    'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to '
    '"RuntimeDefault" or "Localhost")'
)
CASES = {
    "a plain pod is of the baseline": ("baseline", spec(), ""),
    "a plain pod is not restricted": ("restricted", spec(), RESTRICTED),
    "a careful pod is": ("restricted", spec(GOOD), ""),
    "everything goes where all is allowed": ("privileged", spec({"privileged": True}), ""),
    "privileged": (
        "baseline",
        spec({"privileged": True}),
        'privileged (container "c" must not set securityContext.privileged=true)',
    ),
    "host namespaces": (
        "baseline",
        spec(hostNetwork=True, hostPID=True),
        "host namespaces (hostNetwork=true, hostPID=true)",
    ),
    "host paths": (
        "baseline",
        spec(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
        'hostPath volumes (volume "v")',
    ),
    "host paths are one of many kinds of volumes": (
        "restricted",
        spec(
            GOOD, volumes=[{"name": "v", "hostPath": {"path": "/"}}, {"name": "w", "nfs": {"path": "/", "server": "s"}}]
        ),
        'restricted volume types (volumes "v", "w" use restricted volume types "hostPath", "nfs")',
    ),
    "capabilities": (
        "baseline",
        spec({"capabilities": {"add": ["NET_ADMIN", "CHOWN", "BPF"]}}),
        'non-default capabilities (container "c" must not include "BPF", "NET_ADMIN" in '
        "securityContext.capabilities.add)",
    ),
    "root": ("restricted", spec(GOOD | {"runAsUser": 0}), 'runAsUser=0 (container "c" must not set runAsUser=0)'),
    "no root, said by the pod": (
        "restricted",
        spec(GOOD | {"runAsNonRoot": False}, {"runAsNonRoot": True}),
        'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)',
    ),
    "no seccomp": (
        "baseline",
        spec(context={"seccompProfile": {"type": "Unconfined"}}),
        'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ),
    "sysctls": (
        "baseline",
        spec(
            context={
                "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}, {"name": "kernel.sem", "value": "1"}]
            }
        ),
        "forbidden sysctls (kernel.sem)",
    ),
    "labels of SELinux": (
        "baseline",
        spec({"seLinuxOptions": {"type": "x", "user": "u"}}, {"seLinuxOptions": {"role": "r"}}),
        'seLinuxOptions (pod and container "c" set forbidden securityContext.seLinuxOptions: type "x"; '
        "user may not be set; role may not be set)",
    ),
    "the whole of /proc": (
        "baseline",
        spec({"procMount": "Unmasked"}),
        'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
    ),
}


@pytest.mark.parametrize(("level", "tree", "text"), CASES.values(), ids=CASES)
def test_a_standard(level, tree, text):
    found = violations(level, LATEST, msgspec.convert(tree, PodSpec))
    assert ", ".join(f"{rule} ({detail})" for rule, detail in found) == text


def test_ports_of_the_host():
    tree = {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80, "hostPort": 80}]}]}
    assert violations("baseline", LATEST, msgspec.convert(tree, PodSpec)) == [
        ("hostPort", 'container "c" uses hostPort 80')
    ]


def test_older_standards_ask_for_less():
    assert [rule for rule, _ in violations("restricted", 18, msgspec.convert(spec(), PodSpec))] == [
        "allowPrivilegeEscalation != false",
        "runAsNonRoot != true",
    ]


def labels(**given):
    return {f"pod-security.kubernetes.io/{key.replace('_', '-')}": value for key, value in given.items()}


@pytest.fixture
async def cluster():
    async with Cluster([]) as found:
        yield found


async def label(cluster, **given):
    return await cluster.api.patch(Namespace, "default", "", {"metadata": {"labels": labels(**given)}})


POD = "{apiVersion: v1, kind: Pod, metadata: {name: %s}, spec: {containers: [{name: c, image: i}]}}"
DEPLOYMENT = (
    b'{"metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":'
    b'{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}'
)


async def test_a_namespace_refuses_pods(cluster):
    await label(cluster, enforce="restricted", enforce_version="v1.31")
    with pytest.raises(Forbidden) as refused:
        await cluster.apply(POD % "p")
    assert str(refused.value) == f'pods "p" is forbidden: violates PodSecurity "restricted:v1.31": {RESTRICTED}'


async def test_a_workload_is_warned_of(cluster):
    await label(cluster, warn="restricted")
    request = Request(
        "POST",
        "/apis/apps/v1/namespaces/default/deployments",
        [],
        {"content-type": "application/json"},
        DEPLOYMENT,
        User(),
    )
    answer = await cluster.handler.handle(request)
    assert answer.status == 201
    text = f'would violate PodSecurity "restricted:latest": {RESTRICTED}'.replace('"', '\\"')
    assert answer.headers["warning"] == f'299 - "{text}"'


async def test_labels_must_make_sense(cluster):
    with pytest.raises(Invalid, match="must be one of privileged, baseline, restricted"):
        await label(cluster, enforce="strict")
    with pytest.raises(Invalid, match='must be "latest" or'):
        await label(cluster, warn_version="1.2")


async def test_stricter_labels_warn_of_the_pods_that_are_there(cluster):
    await cluster.apply(POD % "a", POD % "b")
    body = msgspec.json.encode({"metadata": {"labels": labels(enforce="restricted")}})
    headers = {"content-type": "application/merge-patch+json"}
    answer = await cluster.api.raw("PATCH", "/api/v1/namespaces/default", body=body, headers=headers)
    first, second = answer.headers["warning"].split("\n")
    assert "violate the new PodSecurity enforce level" in first
    assert "a (and 1 other pod): allowPrivilegeEscalation != false, unrestricted capabilities" in second
