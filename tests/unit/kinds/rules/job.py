"""Job: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "x"},
    "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.25"}], "restartPolicy": "Never"}}},
}
CREATE = {
    "its pods end": (
        {"spec.template.spec.restartPolicy": "Always"},
        ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ),
    "parallelism is counted": (
        {"spec.parallelism": -1},
        ["spec.parallelism: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "completions are counted": (
        {"spec.completions": -1},
        ["spec.completions: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "a deadline is not negative": (
        {"spec.activeDeadlineSeconds": -1},
        ["spec.activeDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "retries are counted": (
        {"spec.backoffLimit": -1},
        ["spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "time to live is not negative": (
        {"spec.ttlSecondsAfterFinished": -1},
        ["spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "an indexed job has completions": (
        {"spec.completionMode": "Indexed", "spec.parallelism": 1},
        ["spec.completions: Required value: when completion mode is Indexed"],
    ),
    "a mode is known": (
        {"spec.completionMode": "Odd", "spec.completions": 1},
        ['spec.completionMode: Unsupported value: "Odd": supported values: "NonIndexed", "Indexed"'],
    ),
    "a selector is made for it": (
        {"spec.selector": {"matchLabels": {"a": "b"}}},
        [
            (
                "spec.template.metadata.labels: Invalid value: "
                '{"batch.kubernetes.io/controller-uid":"","batch.kubernetes.io/job-name":"x","controll'
                'er-uid":"","job-name":"x"}: `selector` does not match template `labels`'
            )
        ],
    ),
}
UPDATE = {
    "completions stay": (
        {
            "spec.completions": 1,
            "spec.manualSelector": True,
            "spec.selector": {"matchLabels": {"app": "x"}},
            "spec.template.metadata": {"labels": {"app": "x"}},
        },
        {"spec.completions": 2},
        ["spec.completions: Invalid value: 2: field is immutable"],
    ),
    "a mode stays": (
        {
            "spec.completions": 1,
            "spec.manualSelector": True,
            "spec.selector": {"matchLabels": {"app": "x"}},
            "spec.template.metadata": {"labels": {"app": "x"}},
        },
        {"spec.completionMode": "Indexed"},
        ['spec.completionMode: Invalid value: "Indexed": field is immutable'],
    ),
}
