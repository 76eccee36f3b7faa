"""PodTemplate: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "v1",
    "kind": "PodTemplate",
    "metadata": {"name": "x"},
    "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]}},
}
CREATE = {
    "its pods have containers": (
        {"template.spec.containers": []},
        ["template.spec.containers: Required value"],
    ),
    "its pods have possible labels": (
        {"template.metadata.labels": {"a b": "c"}},
        [
            (
                'template.labels: Invalid value: "a b": name part must consist of alphanumeric '
                "characters, '-', '_' or '.', and must start and end with an alphanumeric character "
                "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            )
        ],
    ),
    "its pods are no debugging session": (
        {"template.spec.ephemeralContainers": [{"name": "e", "image": "a"}]},
        [("template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template")],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
