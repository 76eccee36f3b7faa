"""What upstream refuses in a pod's spec, path by path."""

import copy

import pytest

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
ONE_TYPE = "Forbidden: may not specify more than 1 volume type"


def pod(**spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container()], **spec}}


def container(**fields):
    return {"name": "c", "image": "nginx:1.25", **fields}


def having(**fields):
    return pod(containers=[container(**fields)])


def mounting(mount, *volumes):
    return pod(containers=[container(volumeMounts=[mount])], volumes=list(volumes))


def volume(**source):
    return pod(volumes=[{"name": "v", **source}])


def affine(**affinity):
    return pod(affinity=affinity)


SHORT_LIVED = {"path": "t", "expirationSeconds": 5}
CONTAINER = "spec.containers[0]"
CASES = {
    "a pod needs a container": (pod(containers=[]), ["spec.containers: Required value"]),
    "a container needs a name": (having(name=""), [f"{CONTAINER}.name: Required value"]),
    "a container's name is a label": (having(name="C"), [f'{CONTAINER}.name: Invalid value: "C": {LABEL}']),
    "a container needs an image": (having(image=""), [f"{CONTAINER}.image: Required value"]),
    "an image of a pod has no space around it": (
        having(image=" x"),
        [f'{CONTAINER}.image: Invalid value: " x": must not have leading or trailing whitespace'],
    ),
    "two containers need two names": (
        pod(containers=[container(), container()]),
        ['spec.containers[1].name: Duplicate value: "c"'],
    ),
    "an init container may not take a container's name": (
        pod(initContainers=[container()]),
        ['spec.initContainers[0].name: Duplicate value: "c"'],
    ),
    "an init container that ends has no probe": (
        pod(initContainers=[container(name="i", livenessProbe={"tcpSocket": {"port": 1}})]),
        [
            "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without "
            "restartPolicy=Always"
        ],
    ),
    "a sidecar may have a probe": (
        pod(initContainers=[container(name="i", restartPolicy="Always", livenessProbe={"tcpSocket": {"port": 1}})]),
        [],
    ),
    "restart rules stand beside a restart policy": (
        having(restartPolicyRules=[{"action": "Restart", "exitCodes": {"operator": "In", "values": [3]}}]),
        [f"{CONTAINER}.restartPolicy: Required value: must specify restartPolicy when restart rules are used"],
    ),
    "a restart rule compares exit codes": (
        having(restartPolicy="Never", restartPolicyRules=[{"action": "Restart", "exitCodes": {"values": [3]}}]),
        [
            f'{CONTAINER}.restartPolicyRules[0].exitCodes.operator: Unsupported value: "": supported values: "In", '
            '"NotIn"'
        ],
    ),
    "a port is a number of sixteen bits": (
        having(ports=[{"containerPort": 70000}]),
        [f"{CONTAINER}.ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"],
    ),
    "a port's name is short": (
        having(ports=[{"containerPort": 80, "name": "toolongportname123"}]),
        [f'{CONTAINER}.ports[0].name: Invalid value: "toolongportname123": must be no more than 15 characters'],
    ),
    "a protocol is one of three": (
        having(ports=[{"containerPort": 80, "protocol": "ICMP"}]),
        [f'{CONTAINER}.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
    ),
    "two containers can't have one port of the host": (
        having(ports=[{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}]),
        [f'{CONTAINER}.ports[1].hostPort: Duplicate value: "TCP//80"'],
    ),
    "a variable has no equals sign in its name": (
        having(env=[{"name": "1=2"}]),
        [
            f'{CONTAINER}.env[0].name: Invalid value: "1=2": a valid environment variable name must consist only of '
            "printable ASCII characters other than '='"
        ],
    ),
    "a variable has a value or a source": (
        having(env=[{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        [f'{CONTAINER}.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ),
    "a variable can't come from just any field": (
        having(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]),
        [
            f'{CONTAINER}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: '
            '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", '
            '"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"'
        ],
    ),
    "a variable may come from one label": (
        having(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}}]),
        [],
    ),
    "a request stays within its limit": (
        having(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
        [f'{CONTAINER}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ),
    "a device can't be overcommitted": (
        having(resources={"limits": {"example.com/gpu": "2"}, "requests": {"example.com/gpu": "1"}}),
        [f'{CONTAINER}.resources.requests: Invalid value: "1": must be equal to example.com/gpu limit of 2'],
    ),
    "a device is whole": (
        having(resources={"limits": {"example.com/gpu": "1500m"}}),
        [
            f'{CONTAINER}.resources.limits[example.com/gpu]: Invalid value: "1500m": must be an integer',
            f'{CONTAINER}.resources.requests[example.com/gpu]: Invalid value: "1500m": must be an integer',
        ],
    ),
    "a resource without a domain is a standard one": (
        having(resources={"limits": {"bananas": "1"}, "requests": {"bananas": "0"}}),
        [
            f'{CONTAINER}.resources.{kind}[bananas]: Invalid value: "bananas": {rule}'
            for kind in ("limits", "requests")
            for rule in (
                "must be a standard resource type or fully qualified",
                "must be a standard resource for containers",
            )
        ],
    ),
    "a pod asks for as much as its containers": (
        pod(
            containers=[container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "3"}})],
            resources={"requests": {"cpu": "1"}, "limits": {"cpu": "2"}},
        ),
        [
            'spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container '
            "requests of 2",
            'spec.resources.containers[0][cpu].limits: Invalid value: "3": must be less than or equal to pod limits '
            "of 2",
        ],
    ),
    "a probe has one handler": (
        having(livenessProbe={"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}),
        [f"{CONTAINER}.livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
    ),
    "a probe has a handler": (
        having(readinessProbe={"periodSeconds": 5}),
        [f"{CONTAINER}.readinessProbe: Required value: must specify a handler type"],
    ),
    "one success is enough for liveness": (
        having(livenessProbe={"tcpSocket": {"port": 1}, "successThreshold": 2}),
        [f"{CONTAINER}.livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    ),
    "a hook can't sleep longer than the grace period": (
        having(lifecycle={"preStop": {"sleep": {"seconds": 31}}}),
        [
            f"{CONTAINER}.lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than "
            "terminationGracePeriodSeconds (30)"
        ],
    ),
    "a user is not negative": (
        having(securityContext={"runAsUser": -1}),
        [f"{CONTAINER}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
    ),
    "a privileged container escalates": (
        having(securityContext={"allowPrivilegeEscalation": False, "privileged": True}),
        [
            f'{CONTAINER}.securityContext: Invalid value: {{"Capabilities":null,"Privileged":true,'
            '"SELinuxOptions":null,"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,'
            '"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,'
            '"AppArmorProfile":null}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true'
        ],
    ),
    "a local profile stays below its folder": (
        having(securityContext={"seccompProfile": {"type": "Localhost", "localhostProfile": "../x"}}),
        [
            f'{CONTAINER}.securityContext.seccompProfile.localhostProfile: Invalid value: "../x": '
            "must not contain '..'"
        ],
    ),
    "a mount names a volume": (
        mounting({"name": "nope", "mountPath": "/x"}),
        [f'{CONTAINER}.volumeMounts[0].name: Not found: "nope"'],
    ),
    "a mount needs a path": (
        mounting({"name": "v"}, {"name": "v", "emptyDir": {}}),
        [f"{CONTAINER}.volumeMounts[0].mountPath: Required value"],
    ),
    "a sub-path stays inside": (
        mounting({"name": "v", "mountPath": "/x", "subPath": "/abs"}, {"name": "v", "emptyDir": {}}),
        [f'{CONTAINER}.volumeMounts.subPath: Invalid value: "/abs": must be a relative path'],
    ),
    "two volumes need two names": (
        pod(volumes=[{"name": "v"}, {"name": "v"}]),
        ['spec.volumes[1].name: Duplicate value: "v"'],
    ),
    "a volume's name is a label": (volume(name="V"), [f'spec.volumes[0].name: Invalid value: "V": {LABEL}']),
    "a volume has one source": (
        volume(emptyDir={}, hostPath={"path": "/x"}),
        [f"spec.volumes[0].hostPath: {ONE_TYPE}"],
    ),
    "a host path has no backsteps": (
        volume(hostPath={"path": "/a/../b"}),
        ["spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"],
    ),
    "a claim has a name": (
        volume(persistentVolumeClaim={"claimName": ""}),
        ["spec.volumes[0].persistentVolumeClaim.claimName: Required value"],
    ),
    "a token lives ten minutes": (
        pod(
            serviceAccountName="default",
            volumes=[
                {
                    "name": "v",
                    "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 5}}]},
                }
            ],
        ),
        [
            "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 5: "
            "may not specify a duration less than 10 minutes"
        ],
    ),
    "a mode is nine bits": (
        volume(secret={"secretName": "s", "defaultMode": 0o1000}),
        [
            "spec.volumes[0].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), "
            "both inclusive"
        ],
    ),
    "a restart policy is one of three": (
        pod(restartPolicy="Maybe"),
        ['spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "OnFailure", "Never"'],
    ),
    "DNS of one's own needs servers": (
        pod(dnsPolicy="None"),
        ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    ),
    "a deadline is positive": (
        pod(activeDeadlineSeconds=0),
        ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
    ),
    "an affinity needs a topology": (
        affine(podAffinity={"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": {}}]}),
        [
            "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: " + rule
            for rule in (
                "Required value: can not be empty",
                'Invalid value: "": name part must be non-empty',
                f'Invalid value: "": {NAME_PART}',
            )
        ],
    ),
    "a preference weighs something": (
        affine(
            nodeAffinity={
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 0, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
                ]
            }
        ),
        [
            "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: "
            "must be in the range 1-100"
        ],
    ),
    "a spread is uneven by at least one": (
        pod(topologySpreadConstraints=[{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]),
        ["spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero"],
    ),
    "a toleration with seconds is for eviction": (
        pod(tolerations=[{"key": "a", "operator": "Exists", "tolerationSeconds": 5}]),
        ["spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set"],
    ),
    "on the host's network ports are the host's": (
        pod(hostNetwork=True, containers=[container(ports=[{"containerPort": 80, "hostPort": 81}])]),
        [f"{CONTAINER}.ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"],
    ),
    "a gated pod has no node": (
        pod(nodeName="n", schedulingGates=[{"name": "g"}]),
        ["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
    ),
    "nobody debugs a pod that is not there yet": (
        pod(ephemeralContainers=[container(name="e")]),
        ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
    ),
    "windows options are for windows": (
        pod(os={"name": "linux"}, securityContext={"windowsOptions": {"runAsUserName": "u"}}),
        ["spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"],
    ),
}


@pytest.mark.parametrize("body, complaints", CASES.values(), ids=CASES)
def test_create(body, complaints, created):
    before = copy.deepcopy(body)
    _, found = created(body)
    assert found == complaints
    assert body == before
