"""IPAddress: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IPAddress",
    "metadata": {"name": "10.1.1.1"},
    "spec": {"parentRef": {"resource": "services", "name": "s"}},
}
CREATE = {
    "a name is an address": (
        {"metadata.name": "x"},
        ['metadata.name: Invalid value: "x": must be a valid IP address'],
    ),
    "an address is written in one way": (
        {"metadata.name": "2001:db8:0::1"},
        ['metadata.name: Invalid value: "2001:db8:0::1": must be a valid IP address in canonical form'],
    ),
    "an address belongs to something": (
        {"spec.parentRef": {}},
        ["spec.parentRef.resource: Required value", "spec.parentRef.name: Required value"],
    ),
}
UPDATE = {
    "an owner stays": (
        {},
        {"spec.parentRef": {"resource": "services", "name": "t"}},
        ['spec.parentRef: Invalid value: {"name":"t","resource":"services"}: field is immutable'],
    ),
}
