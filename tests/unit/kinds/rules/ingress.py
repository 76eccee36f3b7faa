"""Ingress: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "x"},
    "spec": {
        "rules": [
            {
                "host": "a.example",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "s", "port": {"number": 80}}},
                        }
                    ]
                },
            }
        ]
    },
}
CREATE = {
    "there are rules or a backend": (
        {"spec": {}},
        ["spec: Invalid value: []: either `defaultBackend` or `rules` must be specified"],
    ),
    "a path has a type": (
        {"spec.rules.0.http.paths.0.pathType": ...},
        ["spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"],
    ),
    "a path begins at the root": (
        {"spec.rules.0.http.paths.0.path": "a"},
        ['spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path'],
    ),
    "a host is a name": (
        {"spec.rules.0.host": "1.2.3.4"},
        ['spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address'],
    ),
    "a service has a port": (
        {"spec.rules.0.http.paths.0.backend": {"service": {"name": "s"}}},
        ["spec.rules[0].http.paths[0].backend.service: Required value: port name or number is required"],
    ),
    "a backend is one": (
        {"spec.rules.0.http.paths.0.backend": {}},
        [('spec.rules[0].http.paths[0].backend: Invalid value: "": resource or service backend is required')],
    ),
    "a class has a name": (
        {"spec.ingressClassName": "A B"},
        [
            (
                'spec.ingressClassName: Invalid value: "A B": a lowercase RFC 1123 subdomain must '
                "consist of lower case alphanumeric characters, '-' or '.', and must start and end "
                "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )
        ],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
