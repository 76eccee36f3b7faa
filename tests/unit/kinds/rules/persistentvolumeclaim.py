"""PersistentVolumeClaim: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "x"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
CREATE = {
    "a claim says how it is accessed": (
        {"spec.accessModes": []},
        ["spec.accessModes: Required value: at least 1 access mode is required"],
    ),
    "a claim asks for storage": (
        {"spec.resources": {}},
        ["spec.resources[storage]: Required value"],
    ),
    "a claim asks for something": (
        {"spec.resources.requests.storage": "0"},
        ['spec.resources[storage]: Invalid value: "0": must be greater than zero'],
    ),
    "single pods share with nobody": (
        {"spec.accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]},
        ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"],
    ),
    "a mode is known": (
        {"spec.volumeMode": "Odd"},
        ['spec.volumeMode: Unsupported value: "Odd": supported values: "Block", "Filesystem"'],
    ),
    "a class has a name": (
        {"spec.storageClassName": "A B"},
        [
            (
                'spec.storageClassName: Invalid value: "A B": a lowercase RFC 1123 subdomain must '
                "consist of lower case alphanumeric characters, '-' or '.', and must start and end "
                "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )
        ],
    ),
    "a selector's operator is known": (
        {"spec.selector": {"matchExpressions": [{"key": "a", "operator": "Odd"}]}},
        [('spec.selector.matchExpressions[0].operator: Invalid value: "Odd": not a valid selector operator')],
    ),
    "a source has a name": (
        {"spec.dataSource": {"kind": "PersistentVolumeClaim", "name": ""}},
        ["spec.dataSource.name: Required value", "spec.dataSourceRef.name: Required value"],
    ),
}
UPDATE = {
    "a claim stays what it is": (
        {},
        {"spec.accessModes": ["ReadWriteMany"]},
        [
            (
                "spec: Forbidden: spec is immutable after creation except resources.requests and "
                'volumeAttributesClassName for bound claims\n@@ -1,6 +1,6 @@\n {\n  "AccessModes": [\n-  '
                '"ReadWriteOnce"\n+  "ReadWriteMany"\n  ],\n  "Selector": null,\n  "Resources": {\n'
            )
        ],
    ),
    "what is not bound does not grow": (
        {},
        {"spec.resources.requests.storage": "2Gi"},
        [
            (
                "spec: Forbidden: spec is immutable after creation except resources.requests and "
                'volumeAttributesClassName for bound claims\n@@ -6,7 +6,7 @@\n  "Resources": {\n   '
                '"Limits": null,\n   "Requests": {\n-   "storage": "1Gi"\n+   "storage": "2Gi"\n   }\n  '
                '},\n  "VolumeName": "",\n'
            )
        ],
    ),
}
