"""ServiceCIDR: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "ServiceCIDR",
    "metadata": {"name": "x"},
    "spec": {"cidrs": ["10.0.0.0/8"]},
}
CREATE = {
    "there is a range": (
        {"spec.cidrs": []},
        ["spec.cidrs: Required value: at least one CIDR required"],
    ),
    "there are two ranges at most": (
        {"spec.cidrs": ["10.0.0.0/8", "fd00::/8", "11.0.0.0/8"]},
        [('spec.cidrs: Invalid value: ["10.0.0.0/8","fd00::/8","11.0.0.0/8"]: may only hold up to 2 values')],
    ),
    "two ranges are of two families": (
        {"spec.cidrs": ["10.0.0.0/8", "11.0.0.0/8"]},
        [
            (
                'spec.cidrs: Invalid value: ["10.0.0.0/8","11.0.0.0/8"]: may specify no more than one '
                "IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
            )
        ],
    ),
    "a range is one": (
        {"spec.cidrs": ["x"]},
        [('spec.cidrs[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')],
    ),
}
UPDATE = {
    "a range stays": (
        {},
        {"spec.cidrs": ["11.0.0.0/8"]},
        ['spec.cidrs: Invalid value: ["11.0.0.0/8"]: field is immutable'],
    ),
}
