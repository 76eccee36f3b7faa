"""Whom a change of an object with a manager is told to."""

import pytest

from knarr.client.api import Api
from knarr.client.informer import Informer
from knarr.client.resource import of_kind
from knarr.client.stream import Change
from knarr.kinds.table import BUILTIN
from knarr.kinds.types.core_v1 import Pod
from knarr.kinds.types.meta_v1 import ObjectMeta, OwnerReference
from knarr.loop.managed import Managed
from knarr.testing.faults import Faulty

KINDS = ("ReplicaSet", "Job")


def pod(kind=None, controls=True, version="1"):
    owners = [OwnerReference(kind=kind, name="o", uid="u", controller=controls)] if kind else []
    return Pod(metadata=ObjectMeta(name="p", namespace="n", uid="p", resourceVersion=version, ownerReferences=owners))


def informer_of_pods():
    return Informer(Api(Faulty(None)), of_kind(BUILTIN.by_type(Pod), Pod), "", "", "")


CASES = {
    "an object that comes with a manager: the manager's kind": (None, pod("Job"), ["Job"]),
    "a change of it: the manager's kind": (pod("Job"), pod("Job", version="2"), ["Job"]),
    "its end: the manager's kind": (pod("Job"), None, ["Job"]),
    "a manager whose kind nobody asked for: no one": (None, pod("Boat"), []),
    "nobody manages it, each could: all": (None, pod(), [*KINDS]),
    "an owner that does not manage it: all": (None, pod("Job", controls=False), [*KINDS]),
    "it is adopted: all": (pod(), pod("Job", version="2"), [*KINDS]),
    "it is released: all": (pod("Job"), pod(version="2"), [*KINDS]),
    "it goes from one manager to another: all": (pod("Job"), pod("ReplicaSet", version="2"), [*KINDS]),
}


@pytest.mark.parametrize(("old", "new", "told"), CASES.values(), ids=CASES)
def test_a_change_is_told_to_those_whom_it_concerns(old, new, told):
    informer, heard = informer_of_pods(), []
    if old is not None:
        informer._apply(Change("ADDED", old))
    managed = Managed(informer)
    for kind in KINDS:
        managed.on_change(kind, lambda before, after, kind=kind: heard.append((kind, before, after)))
    heard.clear()
    informer._apply(Change("DELETED", old) if new is None else Change("MODIFIED", new))
    assert heard == [(kind, old, new) for kind in told]


@pytest.mark.parametrize(("there", "told"), [(pod("Job"), ["Job"]), (pod(), [*KINDS]), (pod("Boat"), [])])
def test_who_comes_late_hears_what_is_there(there, told):
    informer, heard = informer_of_pods(), []
    informer._apply(Change("ADDED", there))
    managed = Managed(informer)
    for kind in KINDS:
        managed.on_change(kind, lambda before, after, kind=kind: heard.append((kind, before, after)))
    assert heard == [(kind, None, there) for kind in told]
