"""VolumeAttachment: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "VolumeAttachment",
    "metadata": {"name": "x"},
    "spec": {"attacher": "d.example", "nodeName": "n", "source": {"persistentVolumeName": "v"}},
}
CREATE = {
    "a driver attaches": (
        {"spec.attacher": ""},
        [
            "spec.attacher: Required value",
            "spec.attacher: Required value",
            (
                'spec.attacher: Invalid value: "": a lowercase RFC 1123 subdomain must consist of '
                "lower case alphanumeric characters, '-' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            ),
        ],
    ),
    "a driver's name is not too long": (
        {"spec.attacher": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
        ["spec.attacher: Too long: may not be more than 63 bytes"],
    ),
    "there is a source": (
        {"spec.source": {}},
        [("spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName")],
    ),
    "a node has a name": (
        {"spec.nodeName": "A"},
        [
            (
                'spec.nodeName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of '
                "lower case alphanumeric characters, '-' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )
        ],
    ),
    "a volume has a name": (
        {"spec.source.persistentVolumeName": "A B"},
        [
            (
                'spec.source.persistentVolumeName: Invalid value: "A B": a lowercase RFC 1123 '
                "subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
                "start and end with an alphanumeric character (e.g. 'example.com', regex used for "
                "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )
        ],
    ),
}
UPDATE = {
    "what is attached stays": (
        {},
        {"spec.nodeName": "m"},
        [
            (
                "spec: Invalid value: "
                '{"attacher":"d.example","nodeName":"m","source":{"persistentVolumeName":"v"}}: field '
                "is immutable"
            )
        ],
    ),
}
