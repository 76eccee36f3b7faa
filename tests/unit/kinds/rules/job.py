"""Job: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "x"},
    "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.25"}], "restartPolicy": "Never"}}},
}
INDEXED = {"spec.completionMode": "Indexed", "spec.completions": 5, "spec.parallelism": 1}
CODES = {"operator": "In", "values": [1]}
RULE = "spec.podFailurePolicy.rules[0]"


def failing(rule):
    return {"spec.podFailurePolicy": {"rules": [rule]}}


def succeeding(rule):
    return {**INDEXED, "spec.successPolicy": {"rules": [rule]}}


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
                'spec.selector: Invalid value: {"matchLabels":{"a":"b","batch.kubernetes.io/controller-uid":""}}: '
                "`selector` not auto-generated"
            ),
            (
                "spec.template.metadata.labels: Invalid value: "
                '{"batch.kubernetes.io/controller-uid":"","batch.kubernetes.io/job-name":"x","controll'
                'er-uid":"","job-name":"x"}: `selector` does not match template `labels`'
            ),
        ],
    ),
    "what marks its pods is its own": (
        {"spec.template.metadata": {"labels": {"job-name": "y"}}},
        [
            (
                "spec.template.metadata.labels[job-name]: Invalid value: "
                '{"batch.kubernetes.io/controller-uid":"","batch.kubernetes.io/job-name":"x","controller-uid":"",'
                '"job-name":"y"}: must be \'x\''
            )
        ],
    ),
    "a manager has a domain": (
        {"spec.managedBy": "mine"},
        ['spec.managedBy: Invalid value: "mine": must be a domain-prefixed path (such as "acme.io/foo")'],
    ),
    "a manager's name is short": (
        {"spec.managedBy": "acme.io/" + "x" * 60},
        ["spec.managedBy: Too long: may not be more than 63 bytes"],
    ),
    "a limit of failed indexes needs one for each": (
        {**INDEXED, "spec.maxFailedIndexes": 1},
        ["spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified"],
    ),
    "a limit for each index needs indexes": (
        {"spec.backoffLimitPerIndex": 1},
        ["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"],
    ),
    "no more indexes can fail than there are": (
        {**INDEXED, "spec.backoffLimitPerIndex": 1, "spec.maxFailedIndexes": 6},
        ["spec.maxFailedIndexes: Invalid value: 6: must be less than or equal to completions"],
    ),
    "very many indexes need a limit of failed ones": (
        {**INDEXED, "spec.completions": 100_001, "spec.backoffLimitPerIndex": 1, "spec.parallelism": 10_001},
        [
            "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000",
            "spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when completions are above "
            "100000 and used with backoff limit per index",
        ],
    ),
    "the longest host name is one": (
        {**INDEXED, "metadata.name": "x" * 62},
        [
            f'metadata.name: Invalid value: "{"x" * 62}": will not able to create pod with invalid DNS label: '
            f"{'x' * 62}-4"
        ],
    ),
    "a failure policy restarts nothing in place": (
        {**failing({"action": "Count", "onExitCodes": CODES}), "spec.template.spec.restartPolicy": "OnFailure"},
        [
            'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when '
            "podFailurePolicy is specified"
        ],
    ),
    "a rule has an action": (
        failing({"action": "", "onExitCodes": CODES}),
        [RULE + '.action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]'],
    ),
    "an action is known": (
        failing({"action": "Odd", "onExitCodes": CODES}),
        [RULE + '.action: Unsupported value: "Odd": supported values: "Count", "FailIndex", "FailJob", "Ignore"'],
    ),
    "an index fails only where each has a limit": (
        failing({"action": "FailIndex", "onExitCodes": CODES}),
        [RULE + '.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set'],
    ),
    "a rule asks for something": (
        failing({"action": "Count"}),
        [RULE + ": Invalid value: specifying one of OnExitCodes and OnPodConditions is required"],
    ),
    "a rule asks for one thing": (
        failing({"action": "Count", "onExitCodes": CODES, "onPodConditions": [{"type": "A", "status": "True"}]}),
        [RULE + ": Invalid value: specifying both OnExitCodes and OnPodConditions is not supported"],
    ),
    "codes are in order, each once, and failures": (
        failing({"action": "Count", "onExitCodes": {"operator": "In", "values": [3, 0, 3]}}),
        [
            RULE + ".onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator",
            RULE + ".onExitCodes.values[2]: Duplicate value: 3",
            RULE + ".onExitCodes.values: Invalid value: [3,0,3]: must be ordered",
        ],
    ),
    "codes are of a container that there is": (
        failing({"action": "Count", "onExitCodes": {**CODES, "containerName": "d"}}),
        [
            RULE + '.onExitCodes.containerName: Invalid value: "d": must be one of the container or initContainer '
            "names in the pod template"
        ],
    ),
    "a condition's status is known": (
        failing({"action": "Count", "onPodConditions": [{"type": "A", "status": "Odd"}]}),
        [RULE + '.onPodConditions[0].status: Unsupported value: "Odd": supported values: "False", "True", "Unknown"'],
    ),
    "a failure policy replaces failed pods only": (
        {**failing({"action": "Count", "onExitCodes": CODES}), "spec.podReplacementPolicy": "TerminatingOrFailed"},
        ['spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"'],
    ),
    "a replacement is known": (
        {"spec.podReplacementPolicy": "Odd"},
        ['spec.podReplacementPolicy: Unsupported value: "Odd": supported values: "Failed", "TerminatingOrFailed"'],
    ),
    "a success policy has rules": (
        {**INDEXED, "spec.successPolicy": {"rules": []}},
        [
            "spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy "
            "is specified"
        ],
    ),
    "a rule of success asks for something": (
        succeeding({}),
        [
            "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be "
            "specified"
        ],
    ),
    "indexes are in order": (
        succeeding({"succeededIndexes": "3,1-2"}),
        [
            'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "3,1-2": error parsing succeededIndexes: '
            "non-increasing order, previous: 3, current: 1"
        ],
    ),
    "indexes are wanted": (
        succeeding({"succeededIndexes": "5"}),
        [
            'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "5": error parsing succeededIndexes: '
            'too large index: "5"'
        ],
    ),
    "no more succeed than are named": (
        succeeding({"succeededIndexes": "0-1", "succeededCount": 3}),
        [
            "spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number "
            "of indexes in the specified succeededIndexes field)"
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
