"""Pod: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "x"},
    "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]},
}
CREATE = {
    "a pod has containers": (
        {"spec.containers": []},
        ["spec.containers: Required value"],
    ),
    "a container has a name": (
        {"spec.containers.0.name": ""},
        ["spec.containers[0].name: Required value"],
    ),
    "a container's name is a label": (
        {"spec.containers.0.name": "A"},
        [
            (
                'spec.containers[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist '
                "of lower case alphanumeric characters or '-', and must start and end with an "
                "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            )
        ],
    ),
    "a container has an image": (
        {"spec.containers.0.image": ""},
        ["spec.containers[0].image: Required value"],
    ),
    "names of containers differ": (
        {"spec.initContainers": [{"name": "c", "image": "a"}]},
        ['spec.initContainers[0].name: Duplicate value: "c"'],
    ),
    "a restart policy is known": (
        {"spec.restartPolicy": "Odd"},
        [('spec.restartPolicy: Unsupported value: "Odd": supported values: "Always", "OnFailure", "Never"')],
    ),
    "a volume that is mounted is there": (
        {"spec.containers.0.volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
    ),
    "a volume has one source": (
        {"spec.volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}]},
        ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    ),
    "a port is one": (
        {"spec.containers.0.ports": [{"containerPort": 0}]},
        ["spec.containers[0].ports[0].containerPort: Required value"],
    ),
    "a variable's name has no equals sign": (
        {"spec.containers.0.env": [{"name": "a=b", "value": "x"}]},
        [
            (
                'spec.containers[0].env[0].name: Invalid value: "a=b": a valid environment variable '
                "name must consist only of printable ASCII characters other than '='"
            )
        ],
    ),
    "a request is not above its limit": (
        {"spec.containers.0.resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
        [('spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1')],
    ),
    "a probe does one thing": (
        {"spec.containers.0.livenessProbe": {"tcpSocket": {"port": 1}, "httpGet": {"port": 1}}},
        [("spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type")],
    ),
    "a toleration's effect is known": (
        {"spec.tolerations": [{"operator": "Exists", "effect": "Odd"}]},
        [
            (
                'spec.tolerations[0].effect: Unsupported value: "Odd": supported values: '
                '"NoSchedule", "PreferNoSchedule", "NoExecute"'
            )
        ],
    ),
    "a deadline is positive": (
        {"spec.activeDeadlineSeconds": 0},
        ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
    ),
    "a gate is qualified": (
        {"spec.schedulingGates": [{"name": "a b"}]},
        [
            (
                'spec.schedulingGates[0]: Invalid value: "a b": name part must consist of '
                "alphanumeric characters, '-', '_' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
                "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            )
        ],
    ),
    "spread is by a topology": (
        {"spec.topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "Odd"}]},
        [
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
            "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
            (
                'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Odd": '
                'supported values: "DoNotSchedule", "ScheduleAnyway"'
            ),
        ],
    ),
}
UPDATE = {
    "an image may change": (
        {},
        {"spec.containers.0.image": "nginx:1.26"},
        [],
    ),
    "a deadline only comes nearer": (
        {"spec.activeDeadlineSeconds": 5},
        {"spec.activeDeadlineSeconds": 6},
        ["spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"],
    ),
    "containers do not come": (
        {},
        {"spec.containers": [{"name": "c", "image": "nginx:1.25"}, {"name": "d", "image": "a"}]},
        ["spec.containers: Forbidden: pod updates may not add or remove containers"],
    ),
}
