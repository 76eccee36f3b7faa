"""RuntimeClass: what upstream refuses, and with which words."""

VALID = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "x"}, "handler": "h"}
CREATE = {
    "a handler is a label": (
        {"handler": "A"},
        [
            (
                'handler: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case '
                "alphanumeric characters or '-', and must start and end with an alphanumeric "
                "character (e.g. 'my-name',  or '123-abc', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            )
        ],
    ),
    "an overhead is of known resources": (
        {"overhead": {"podFixed": {"odd": "1"}}},
        [
            ('overhead.limits[odd]: Invalid value: "odd": must be a standard resource type or fully qualified'),
            'overhead.limits[odd]: Invalid value: "odd": must be a standard resource for containers',
        ],
    ),
    "an overhead is not negative": (
        {"overhead": {"podFixed": {"cpu": "-1"}}},
        ['overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0'],
    ),
    "nodes have possible labels": (
        {"scheduling": {"nodeSelector": {"a b": "c"}}},
        [
            (
                'scheduling.nodeSelector: Invalid value: "a b": name part must consist of '
                "alphanumeric characters, '-', '_' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
                "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            )
        ],
    ),
    "a toleration's effect is known": (
        {"scheduling": {"tolerations": [{"operator": "Exists", "effect": "Odd"}]}},
        [
            (
                'scheduling.tolerations[0].effect: Unsupported value: "Odd": supported values: '
                '"NoSchedule", "PreferNoSchedule", "NoExecute"'
            )
        ],
    ),
}
UPDATE = {
    "a handler stays": (
        {},
        {"handler": "i"},
        ['handler: Invalid value: "i": field is immutable'],
    ),
}
