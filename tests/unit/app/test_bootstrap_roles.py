"""The roles of every cluster: valid, complete, made once."""

from knarr.app import bootstrap_roles
from knarr.app.bootstrap_role_table import FEEDS, PATHS, ROLES
from knarr.kinds.table import BUILTIN
from knarr.kinds.types.rbac_v1 import ClusterRole, ClusterRoleBinding
from knarr.testing.cluster import Cluster


def test_every_role_and_binding_is_valid():
    for object_ in bootstrap_roles.objects():
        assert list(BUILTIN.by_type(type(object_)).validate(object_)) == []


def test_every_binding_names_a_role_that_is_there():
    made = list(bootstrap_roles.objects())
    roles = {found.metadata.name for found in made if isinstance(found, ClusterRole)}
    assert {found.roleRef.name for found in made if isinstance(found, ClusterRoleBinding)} <= roles


def test_every_note_on_a_role_is_on_one_that_is_there():
    assert PATHS.keys() <= ROLES.keys()
    assert set(FEEDS) <= {*ROLES, "admin", "edit", "view"}


async def test_what_is_missing_is_made_and_what_is_there_is_left_alone():
    async with Cluster([]) as cluster:
        await bootstrap_roles.ensure(cluster.api)
        view = await cluster.api.get(ClusterRole, "view")
        await cluster.api.patch(ClusterRole, "edit", "", {"metadata": {"labels": {"mine": "yes"}}})
        await cluster.api.delete(ClusterRole, "cluster-admin")
        await bootstrap_roles.ensure(cluster.api)
        assert (await cluster.api.get(ClusterRole, "view")).metadata.resourceVersion == view.metadata.resourceVersion
        assert (await cluster.api.get(ClusterRole, "edit")).metadata.labels["mine"] == "yes"
        assert (await cluster.api.get(ClusterRole, "cluster-admin")).rules[0].verbs == ["*"]
