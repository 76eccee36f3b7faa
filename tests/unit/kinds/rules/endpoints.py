"""Endpoints: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "v1",
    "kind": "Endpoints",
    "metadata": {"name": "x"},
    "subsets": [{"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 80}]}],
}
CREATE = {
    "a subset has addresses": (
        {"subsets.0.addresses": []},
        ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"],
    ),
    "an address is one": (
        {"subsets.0.addresses.0.ip": "x"},
        [
            (
                'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. '
                "10.9.8.7 or 2001:db8::ffff)"
            ),
            'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address',
        ],
    ),
    "an address is not this machine's own": (
        {"subsets.0.addresses.0.ip": "127.0.0.1"},
        [
            (
                'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback '
                "range (127.0.0.0/8, ::1/128)"
            )
        ],
    ),
    "a port is one": (
        {"subsets.0.ports.0.port": 0},
        ["subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"],
    ),
    "several ports have names": (
        {"subsets.0.ports": [{"port": 1, "name": "a"}, {"port": 2}]},
        ["subsets[0].ports[1].name: Required value"],
    ),
    "a protocol is known": (
        {"subsets.0.ports.0.protocol": "HTTP"},
        [('subsets[0].ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"')],
    ),
    "a hostname is a label": (
        {"subsets.0.addresses.0.hostname": "a.b"},
        ['subsets[0].addresses[0].hostname: Invalid value: "a.b": must not contain dots'],
    ),
}
UPDATE = {
    "a change keeps to the rules": (
        {},
        {"subsets.0.ports.0.port": 65536},
        ["subsets[0].ports[0].port: Invalid value: 65536: must be between 1 and 65535, inclusive"],
    ),
}
