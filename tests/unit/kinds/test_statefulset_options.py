"""What a StatefulSet may opt in to by annotations: which values they take, and which changes of claims they allow."""

import copy

import pytest

from knarr.kinds.statefulset_options import BACK_OFF, DEADLINE, EXPAND, RECOVER


def a_set(size="1Gi", mode="ReadWriteOnce", templates=1, **annotations):
    claim = {"accessModes": [mode], "resources": {"requests": {"storage": size}}}
    labels = {"app": "x"}
    container = {"name": "c", "image": "nginx:1.25"}
    spec = {
        "serviceName": "x",
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        "volumeClaimTemplates": [{"metadata": {"name": f"d{n}"}, "spec": claim} for n in range(templates)],
    }
    meta = {"name": "x", "namespace": "default", "annotations": annotations}
    return copy.deepcopy({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": spec})


VALUES = {
    "switches are true or false": ({RECOVER: "true", BACK_OFF: "false", EXPAND: "true"}, []),
    "a switch is nothing else": (
        {RECOVER: "yes"},
        ["metadata.annotations[knarr.dev/recover-rollout]: Invalid value: \"yes\": must be 'true' or 'false'"],
    ),
    "a deadline is a number of seconds": ({DEADLINE: "600"}, []),
    **{
        f"a deadline is not {value!r}": (
            {DEADLINE: value},
            [
                f'metadata.annotations[knarr.dev/progress-deadline-seconds]: Invalid value: "{value}": '
                "must be a whole number of seconds greater than 0"
            ],
        )
        for value in ("0", "-1", "10m", "", "1.5", "٣", "99999999999")
    },
}


@pytest.mark.parametrize(("annotations", "errors"), VALUES.values(), ids=VALUES)
def test_values(created, annotations, errors):
    assert created(a_set(**annotations))[1] == errors


def test_a_deadline_is_later_than_a_ready_pod_becomes_available(created):
    tree = a_set(**{DEADLINE: "60"})
    tree["spec"]["minReadySeconds"] = 60
    assert created(tree)[1] == [
        'metadata.annotations[knarr.dev/progress-deadline-seconds]: Invalid value: "60": '
        "must be greater than minReadySeconds"
    ]


ON = {EXPAND: "true"}
FORBIDDEN = (
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
    "are forbidden"
)
SHRUNK = "spec.volumeClaimTemplates[0].spec.resources.requests.storage: Forbidden: may only grow, from 1Gi"

#: before, after -> errors
CLAIMS = {
    "claims of an ordinary set do not grow": (a_set(), a_set("2Gi"), [FORBIDDEN]),
    "claims grow where the set opted in": (a_set(**ON), a_set("2Gi", **ON), []),
    "opting in and growing may be one change": (a_set(), a_set("2Gi", **ON), []),
    "claims never shrink": (a_set(**ON), a_set("500Mi", **ON), [SHRUNK]),
    "another spelling of the size is no change of it": (a_set(**ON), a_set("1024Mi", **ON), []),
    "nothing else of a claim changes": (a_set(**ON), a_set("2Gi", "ReadWriteMany", **ON), [FORBIDDEN]),
    "no claim comes": (a_set(**ON), a_set(templates=2, **ON), [FORBIDDEN]),
    "no claim goes": (a_set(templates=2, **ON), a_set(**ON), [FORBIDDEN]),
}


@pytest.mark.parametrize(("before", "after", "errors"), CLAIMS.values(), ids=CLAIMS)
def test_claims(updated, before, after, errors):
    assert updated(before, after)[1] == errors
