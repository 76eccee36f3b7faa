"""ResourceQuota: what upstream refuses, and with which words."""

VALID = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "x"}, "spec": {"hard": {"pods": "1"}}}
CREATE = {
    "an amount is not negative": (
        {"spec.hard": {"pods": "-1"}},
        ['spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0'],
    ),
    "pods are whole": (
        {"spec.hard": {"pods": "500m"}},
        ['spec.hard[pods]: Invalid value: "500m": must be an integer'],
    ),
    "a resource has a name": (
        {"spec.hard": {"a b": "1"}},
        [
            (
                'spec.hard[a b]: Invalid value: "a b": name part must consist of alphanumeric '
                "characters, '-', '_' or '.', and must start and end with an alphanumeric character "
                "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ),
            'spec.hard[a b]: Invalid value: "a b": must be a standard resource for quota',
        ],
    ),
    "a scope is known": (
        {"spec.scopes": ["Odd"]},
        ['spec.scopes: Invalid value: ["Odd"]: unsupported scope'],
    ),
    "scopes agree": (
        {"spec.scopes": ["BestEffort", "NotBestEffort"]},
        ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'],
    ),
    "the best effort has pods alone": (
        {"spec.scopes": ["BestEffort"], "spec.hard": {"cpu": "1"}},
        ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'],
    ),
    "a class is in or not in a list": (
        {"spec.scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]}},
        [
            (
                "spec.scopeSelector.matchExpressions.values: Required value: must be at least one "
                "value when `operator` is 'In' or 'NotIn' for scope selector"
            )
        ],
    ),
}
UPDATE = {
    "scopes stay": (
        {},
        {"spec.scopes": ["BestEffort"]},
        ['spec.scopes: Invalid value: ["BestEffort"]: field is immutable'],
    ),
}
