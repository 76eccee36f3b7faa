"""Service: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "x"},
    "spec": {"ports": [{"port": 80}], "clusterIP": "None", "clusterIPs": ["None"]},
}
CREATE = {
    "a name has no dots": (
        {"metadata.name": "a.b"},
        ['metadata.name: Invalid value: "a.b": must not contain dots'],
    ),
    "a port is one": (
        {"spec.ports": [{"port": 0}]},
        [
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
        ],
    ),
    "several ports have names": (
        {"spec.ports": [{"port": 80, "name": "a"}, {"port": 81}]},
        ["spec.ports[1].name: Required value"],
    ),
    "a type is known": (
        {"spec.type": "Odd"},
        [
            (
                'spec.type: Unsupported value: "Odd": supported values: "ClusterIP", "ExternalName", '
                '"LoadBalancer", "NodePort"'
            )
        ],
    ),
    "an affinity is known": (
        {"spec.sessionAffinity": "Odd"},
        ['spec.sessionAffinity: Unsupported value: "Odd": supported values: "ClientIP", "None"'],
    ),
    "a name elsewhere is one": (
        {"spec": {"type": "ExternalName", "externalName": "A B"}},
        [
            (
                'spec.externalName: Invalid value: "A B": a lowercase RFC 1123 subdomain must consist '
                "of lower case alphanumeric characters, '-' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )
        ],
    ),
    "an external address is one": (
        {"spec.externalIPs": ["x"]},
        [('spec.externalIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')],
    ),
    "a protocol is known": (
        {"spec.ports.0.protocol": "HTTP"},
        ['spec.ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"'],
    ),
    "ports differ": (
        {"spec.ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]},
        [
            (
                "spec.ports[1]: Duplicate value: "
                '{"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}'
            )
        ],
    ),
    "traffic policies are for outside": (
        {"spec.externalTrafficPolicy": "Local"},
        [('spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services')],
    ),
}
UPDATE = {
    "an address stays": (
        {"spec.clusterIP": "10.96.0.9", "spec.clusterIPs": ["10.96.0.9"]},
        {"spec.clusterIP": "10.96.0.8", "spec.clusterIPs": ["10.96.0.8"]},
        ['spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set'],
    ),
}
