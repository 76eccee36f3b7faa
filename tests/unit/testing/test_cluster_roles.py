"""A test's cluster has the roles of every cluster, from its first moment."""

import json

from knarr.kinds.types.rbac_v1 import ClusterRole, ClusterRoleBinding
from knarr.testing import virtual_time
from knarr.testing.cluster import Cluster

BOUND = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: jane-edits}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}]
"""
MAY = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def may(api, verb, resource, namespace):
    spec = {"resourceAttributes": {"verb": verb, "resource": resource, "namespace": namespace}}
    answer = await api.raw("POST", MAY, body=json.dumps({"spec": spec}).encode())
    return json.loads(answer.body)["status"]["allowed"]


def test_who_is_bound_to_edit_may_edit_there_and_nowhere_else():
    async def main():
        async with Cluster() as cluster:
            await cluster.apply(BOUND)
            jane = cluster.client("jane", "people")
            return [
                await may(jane, *asked)
                for asked in (
                    ("create", "pods", "default"),
                    ("get", "secrets", "default"),
                    ("create", "pods", "kube-system"),
                    ("create", "rolebindings", "default"),
                )
            ]

    assert virtual_time.run(main()) == [True, True, False, False]


def test_nothing_is_left_to_be_gathered_and_times_and_uids_are_the_clusters_own():
    async def main():
        async with Cluster() as cluster:
            before = {each.metadata.name: each.metadata for each in (await cluster.api.list(ClusterRole)).items}
            await cluster.settled()
            after = {each.metadata.name: each.metadata for each in (await cluster.api.list(ClusterRole)).items}
            assert before == after
            assert {each.creationTimestamp for each in after.values()} == {"2026-01-01T00:00:00Z"}
            return {each.uid for each in after.values()}

    uids = virtual_time.run(main())
    assert len(uids) > 50 and virtual_time.run(main()) == uids


def test_a_cluster_of_some_parts_alone_has_none():
    async def main():
        async with Cluster([]) as cluster:
            return (await cluster.api.list(ClusterRoleBinding)).items

    assert virtual_time.run(main()) == []
