"""PersistentVolume: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {"name": "x"},
    "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "nfs": {"server": "s", "path": "/v"}},
}
CREATE = {
    "a volume says how it is accessed": (
        {"spec.accessModes": []},
        ["spec.accessModes: Required value"],
    ),
    "an access mode is known": (
        {"spec.accessModes": ["Odd"]},
        [
            (
                'spec.accessModes: Unsupported value: "Odd": supported values: "ReadOnlyMany", '
                '"ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"'
            )
        ],
    ),
    "a volume has a size": (
        {"spec.capacity": {}},
        ["spec.capacity: Required value", 'spec.capacity: Unsupported value: {}: supported values: "storage"'],
    ),
    "a size is of storage": (
        {"spec.capacity": {"storage": "1Gi", "cpu": "1"}},
        ['spec.capacity: Unsupported value: {"storage":"1Gi","cpu":"1"}: supported values: "storage"'],
    ),
    "a size is positive": (
        {"spec.capacity": {"storage": "0"}},
        ['spec.capacity[storage]: Invalid value: "0": must be greater than zero'],
    ),
    "a volume lies somewhere": (
        {"spec.nfs": ...},
        ["spec: Required value: must specify a volume type"],
    ),
    "a volume lies in one place": (
        {"spec.hostPath": {"path": "/x"}},
        ["spec.nfs: Forbidden: may not specify more than 1 volume type"],
    ),
    "a reclaim policy is known": (
        {"spec.persistentVolumeReclaimPolicy": "Odd"},
        [
            (
                'spec.persistentVolumeReclaimPolicy: Unsupported value: "Odd": supported values: '
                '"Delete", "Recycle", "Retain"'
            )
        ],
    ),
    "a local volume is on a node": (
        {"spec.nfs": ..., "spec.local": {"path": "/x"}},
        ["spec.nodeAffinity: Required value: Local volume requires node affinity"],
    ),
    "a path leads nowhere else": (
        {"spec.nfs": ..., "spec.hostPath": {"path": "/a/../b"}},
        ["spec.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"],
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
    "a mode is known": (
        {"spec.volumeMode": "Odd"},
        ['spec.volumeMode: Unsupported value: "Odd": supported values: "Block", "Filesystem"'],
    ),
}
UPDATE = {
    "where a volume lies stays": (
        {},
        {"spec.nfs": {"server": "t", "path": "/v"}},
        [
            (
                "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable "
                'after creation\n@@ -4,7 +4,7 @@\n  "HostPath": null,\n  "Glusterfs": null,\n  "NFS": {\n- '
                ' "Server": "s",\n+  "Server": "t",\n   "Path": "/v",\n   "ReadOnly": false\n  },\n'
            )
        ],
    ),
    "a volume's mode stays": (
        {},
        {"spec.volumeMode": "Block"},
        ['volumeMode: Invalid value: "Block": field is immutable'],
    ),
}
