"""NetworkPolicy: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "x"},
    "spec": {"podSelector": {}},
}
CREATE = {
    "a selector's operator is known": (
        {"spec.podSelector": {"matchExpressions": [{"key": "a", "operator": "Odd"}]}},
        [('spec.podSelector.matchExpressions[0].operator: Invalid value: "Odd": not a valid selector operator')],
    ),
    "a range of ports has a beginning": (
        {"spec.ingress": [{"ports": [{"endPort": 5}]}]},
        ["spec.ingress[0].ports[0].port: Required value: must be specified when endPort is set"],
    ),
    "a range of ports grows": (
        {"spec.ingress": [{"ports": [{"port": 6, "endPort": 5}]}]},
        ["spec.ingress[0].ports[0].endPort: Invalid value: 5: must be greater than or equal to `port`"],
    ),
    "a peer is something": (
        {"spec.ingress": [{"from": [{}]}]},
        ["spec.ingress[0].from[0]: Required value: must specify a peer"],
    ),
    "a block is a range": (
        {"spec.ingress": [{"from": [{"ipBlock": {"cidr": "x"}}]}]},
        [
            (
                'spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "x": must be a valid CIDR '
                "value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            )
        ],
    ),
    "a block's hole lies within": (
        {"spec.ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}]},
        [
            (
                'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a '
                "strict subset of `cidr`"
            )
        ],
    ),
    "a policy's type is known": (
        {"spec.policyTypes": ["Odd"]},
        ['spec.policyTypes[0]: Unsupported value: "Odd": supported values: "Ingress", "Egress"'],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
