"""CronJob: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "x"},
    "spec": {
        "schedule": "* * * * *",
        "jobTemplate": {
            "spec": {
                "template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.25"}], "restartPolicy": "Never"}}
            }
        },
    },
}
CREATE = {
    "there is a schedule": (
        {"spec.schedule": ""},
        ["spec.schedule: Required value"],
    ),
    "a schedule is one": (
        {"spec.schedule": "x"},
        ['spec.schedule: Invalid value: "x": expected exactly 5 fields, found 1: [x]'],
    ),
    "a time zone stands on its own": (
        {"spec.schedule": "TZ=UTC * * * * *"},
        [
            (
                'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in '
                "schedule, use timeZone field instead"
            )
        ],
    ),
    "a time zone is known": (
        {"spec.timeZone": "Odd/Place"},
        ['spec.timeZone: Invalid value: "Odd/Place": unknown time zone Odd/Place'],
    ),
    "concurrency is allowed or not": (
        {"spec.concurrencyPolicy": "Odd"},
        [('spec.concurrencyPolicy: Unsupported value: "Odd": supported values: "Allow", "Forbid", "Replace"')],
    ),
    "a deadline is not negative": (
        {"spec.startingDeadlineSeconds": -1},
        ["spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "a selector is made for each of its jobs": (
        {"spec.jobTemplate.spec.selector": {"matchLabels": {"a": "b"}}},
        ['spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated'],
    ),
    "history is counted": (
        {"spec.successfulJobsHistoryLimit": -1},
        ["spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "its pods end": (
        {"spec.jobTemplate.spec.template.spec.restartPolicy": "Always"},
        [('spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"')],
    ),
    "a name leaves room for the jobs'": (
        {"metadata.name": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
        [
            (
                "metadata.name: Invalid value: "
                '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": must be no more than 52 '
                "characters"
            )
        ],
    ),
}
UPDATE: dict[str, tuple[dict[str, object], dict[str, object], list[str]]] = {}
