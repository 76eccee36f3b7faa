"""The roles of every cluster: valid, complete, made once."""

from knarr.app import bootstrap_roles
from knarr.client.transport import User
from knarr.kinds import first_roles
from knarr.kinds.first_role_table import FEEDS, PATHS, ROLES
from knarr.kinds.table import BUILTIN
from knarr.kinds.types.rbac_v1 import ClusterRole, ClusterRoleBinding
from knarr.server.authorization import Attributes
from knarr.server.authorization.rbac import Rbac
from knarr.server.state import RegistryState
from knarr.testing.cluster import Cluster


def test_every_role_and_binding_is_valid():
    for object_ in first_roles.objects():
        assert list(BUILTIN.by_type(type(object_)).validate(object_)) == []


def test_every_binding_names_a_role_that_is_there():
    made = list(first_roles.objects())
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


SCHEDULER, PROXY, MANAGER = (f"system:kube-{part}" for part in ("scheduler", "proxy", "controller-manager"))
ACCOUNT = "system:serviceaccount:kube-system:"
#: user, verb, group, resource, and whether that is allowed
PARTS = {
    "the scheduler binds pods": (SCHEDULER, "create", "", "pods/binding", True),
    "the scheduler reads no secret": (SCHEDULER, "get", "", "secrets", False),
    "the scheduler deletes no node": (SCHEDULER, "delete", "", "nodes", False),
    "the proxy follows endpoints": (PROXY, "watch", "discovery.k8s.io", "endpointslices", True),
    "the proxy lists no pods": (PROXY, "list", "", "pods", False),
    "the controller manager lists everything": (MANAGER, "list", "apps", "deployments", True),
    "the controller manager writes no pod as itself": (MANAGER, "create", "", "pods", False),
    "a controller's account does its own work": (f"{ACCOUNT}job-controller", "create", "", "pods", True),
    "a controller's account does no other's": (f"{ACCOUNT}job-controller", "create", "", "secrets", False),
    "the DNS lists services": (f"{ACCOUNT}kube-dns", "list", "", "services", True),
    "a user of the DNS' name may nothing": ("system:kube-dns", "list", "", "services", False),
}


async def test_the_cluster_s_parts_may_do_their_own_work_alone():
    async with Cluster([]) as cluster:
        await bootstrap_roles.ensure(cluster.api)
        rbac = Rbac(RegistryState(cluster.registry))
        for said, (user, verb, group, qualified, wanted) in PARTS.items():
            resource, _, part = qualified.partition("/")
            asked = Attributes(User(user, groups=()), verb, group, "v1", "default", resource, part)
            assert (await rbac.allows(asked))[0] is wanted, said
