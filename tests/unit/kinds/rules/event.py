"""Event: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "x", "namespace": "d"},
    "involvedObject": {"kind": "Pod", "name": "p", "namespace": "d"},
}
CREATE = {
    "an event is about its own namespace": (
        {"involvedObject.namespace": "other"},
        ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ),
    "an event of the new form says who reports what": (
        {"eventTime": "2026-01-01T00:00:00.000000Z"},
        [
            "reportingController: Required value",
            'reportingController: Invalid value: "": name part must be non-empty',
            (
                'reportingController: Invalid value: "": name part must consist of alphanumeric '
                "characters, '-', '_' or '.', and must start and end with an alphanumeric character "
                "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ),
            "reportingInstance: Required value",
            "action: Required value",
            "reason: Required value",
        ],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
