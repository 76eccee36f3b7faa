"""Pods' specs that were judged before."""

import msgspec
import pytest

from knarr.kinds import pod_rules
from knarr.kinds.podspec_known import KEPT, LARGEST, KnownSpecs, outline
from knarr.kinds.types.core_v1 import Pod, PodSpec

DRAWN, OTHER = "kube-api-access-b2c4d", "kube-api-access-x5z7w"
TOKEN = {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}


def tree(name=DRAWN, *, mounted=None, more=(), **spec):
    volumes = [{"name": name, "projected": {"sources": [TOKEN], "defaultMode": 420}}, *more]
    mounts = [{"name": mounted or name, "mountPath": "/x"}]
    container = {"name": "c", "image": "x", "imagePullPolicy": "Always", "resources": {}, "volumeMounts": mounts}
    container |= {"terminationMessagePolicy": "File"}
    usual = {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30}
    return usual | {"containers": [container], "volumes": volumes, "serviceAccountName": "default"} | spec


def read(spec):
    return msgspec.convert(spec, PodSpec)


SAME = {
    "another drawn name": (tree(DRAWN), tree(OTHER), True),
    "another name that is not drawn": (tree("one"), tree("two"), False),
    "a name that is too long to be drawn": (tree(DRAWN), tree(OTHER + "x"), False),
    "a name with letters that no name has": (tree(DRAWN), tree("kube-api-access-XXXXX"), False),
    "a mount of another volume": (tree(DRAWN), tree(OTHER, mounted=DRAWN), False),
    "the name once more": (
        tree(DRAWN, more=[{"name": OTHER, "emptyDir": {}}]),
        tree(DRAWN, more=[{"name": DRAWN, "emptyDir": {}}]),
        False,
    ),
    "another hostname": (tree(hostname="web-0"), tree(hostname="web-1"), True),
    "a hostname that is none": (tree(), tree(hostname="web.0"), False),
    "another subdomain": (tree(), tree(subdomain="web"), False),
}


@pytest.mark.parametrize(("one", "other", "same"), SAME.values(), ids=SAME)
def test_specs_that_break_the_same_rules(one, other, same):
    assert (outline(read(one)) == outline(read(other))) is same


NEVER = {
    "whose volumes make claims of the pod's name": tree(more=[{"name": "e", "ephemeral": {}}]),
    "that are large": tree(hostname="h" * LARGEST),
}


@pytest.mark.parametrize("spec", NEVER.values(), ids=NEVER)
def test_specs_are_judged_each_time(spec):
    assert outline(read(spec)) == b""


def test_the_specs_that_passed_last_are_known():
    known = KnownSpecs()
    for number in range(KEPT + 1):
        known.add(b"%d" % number)
    known.add(b"")
    assert [text in known for text in (b"0", b"1", b"%d" % KEPT, b"")] == [False, True, True, False]


def errors(spec, **metadata):
    pod = msgspec.convert({"metadata": {"name": "p", "namespace": "n"} | metadata, "spec": spec}, Pod)
    return [str(error) for error in pod_rules.validate(pod)]


def test_what_breaks_a_rule_is_told_each_time_and_what_does_not_hides_nothing_else():
    assert errors(tree()) == errors(tree(OTHER)) == []
    wrong = tree(restartPolicy="Sometimes")
    assert len(errors(wrong)) == 1 and errors(wrong) == errors(wrong)
    assert len(errors(tree(), annotations={pod_rules.DELETION_COST: "x"})) == 1
    claims = "spec.volumes[1].name: Invalid value"
    ephemeral = {"name": "e", "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}}
    assert any(error.startswith(claims) for error in errors(tree(more=[ephemeral]), name="P"))
