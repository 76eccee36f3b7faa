"""ValidatingWebhookConfiguration: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "x"},
    "webhooks": [
        {
            "name": "a.example.com",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "clientConfig": {"url": "https://a.example/x"},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
        }
    ],
}
CREATE = {
    "a hook's name has three parts": (
        {"webhooks.0.name": "a"},
        [('webhooks[0].name: Invalid value: "a": should be a domain with at least three segments separated by dots')],
    ),
    "a hook knows a version": (
        {"webhooks.0.admissionReviewVersions": []},
        ["webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1"],
    ),
    "side effects are told": (
        {"webhooks.0.sideEffects": "Some"},
        ['webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'],
    ),
    "a failure is known": (
        {"webhooks.0.failurePolicy": "Odd"},
        ['webhooks[0].failurePolicy: Unsupported value: "Odd": supported values: "Fail", "Ignore"'],
    ),
    "a hook does not take for ever": (
        {"webhooks.0.timeoutSeconds": 31},
        [("webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds")],
    ),
    "a hook is in one place": (
        {"webhooks.0.clientConfig": {}},
        ["webhooks[0].clientConfig: Required value: exactly one of url or service is required"],
    ),
    "a hook is asked safely": (
        {"webhooks.0.clientConfig.url": "http://a.example/x"},
        [
            (
                "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL "
                "scheme; desired format: https://host[/path]"
            )
        ],
    ),
    "a rule has operations": (
        {"webhooks.0.rules.0.operations": []},
        ["webhooks[0].rules[0].operations: Required value"],
    ),
    "an operation is known": (
        {"webhooks.0.rules.0.operations": ["ODD"]},
        [
            (
                'webhooks[0].rules[0].operations[0]: Unsupported value: "ODD": supported values: "*", '
                '"CONNECT", "CREATE", "DELETE", "UPDATE"'
            )
        ],
    ),
    "a match is exact or equivalent": (
        {"webhooks.0.matchPolicy": "Odd"},
        ['webhooks[0].matchPolicy: Unsupported value: "Odd": supported values: "Equivalent", "Exact"'],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
