"""EndpointSlice: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "x"},
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.1.1.1"]}],
    "ports": [{"port": 80}],
}
CREATE = {
    "addresses are of a type": (
        {"addressType": ""},
        ["addressType: Required value"],
    ),
    "a type is known": (
        {"addressType": "Odd"},
        ['addressType: Unsupported value: "Odd": supported values: "FQDN", "IPv4", "IPv6"'],
    ),
    "an endpoint has addresses": (
        {"endpoints.0.addresses": []},
        ["endpoints[0].addresses: Required value: must contain at least 1 address"],
    ),
    "an address is of the type": (
        {"endpoints.0.addresses": ["fd00::1"]},
        ['endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address'],
    ),
    "an address is not this machine's own": (
        {"endpoints.0.addresses": ["127.0.0.1"]},
        [
            (
                'endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback '
                "range (127.0.0.0/8, ::1/128)"
            )
        ],
    ),
    "ports have names of their own": (
        {"ports": [{"port": 80}, {"port": 81}]},
        ['ports[1].name: Duplicate value: ""'],
    ),
    "a hostname is a label": (
        {"endpoints.0.hostname": "a.b"},
        ['endpoints[0].hostname: Invalid value: "a.b": must not contain dots'],
    ),
    "a domain has two labels": (
        {"addressType": "FQDN", "endpoints.0.addresses": ["alone."]},
        [
            'endpoints[0].addresses[0]: Invalid value: "alone": should be a domain with at least two segments '
            "separated by dots"
        ],
    ),
    "an endpoint is meant for each zone once": (
        {"endpoints.0.hints": {"forZones": [{"name": "a"}, {"name": "a"}]}},
        ['endpoints[0].hints.forZones[1].name: Duplicate value: "a"'],
    ),
    "and for no more than eight nodes": (
        {"endpoints.0.hints": {"forNodes": [{"name": f"n{number}"} for number in range(9)]}},
        ["endpoints[0].hints.forNodes: Too many: 9: must have at most 8 items"],
    ),
    "an old topology is one of labels": (
        {"endpoints.0.deprecatedTopology": {f"k{number}": "v" for number in range(17)}},
        ["endpoints[0].deprecatedTopology: Too many: 17: must have at most 16 items"],
    ),
}
UPDATE = {
    "a type stays": (
        {},
        {"addressType": "FQDN", "endpoints.0.addresses": ["a.example"]},
        ['addressType: Invalid value: "FQDN": field is immutable'],
    ),
}
