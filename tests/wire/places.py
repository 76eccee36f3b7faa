"""Where a client's test works: a namespace and a kubeconfig of its own, and what it asks for there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.wire.kubectl_cluster import Cluster

Object = dict[str, Any]


@dataclass
class Place:
    """A namespace of the cluster that the tests of one process share."""

    cluster: Cluster
    namespace: str
    kubeconfig: Path  #: an administrator's, by certificate; its context `bob` may nothing
    folder: Path

    def token(self, account: str = "default") -> str:
        """A service account's token."""
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
        return self.cluster.request("POST", path, request)["status"]["token"]

    def let(self, account: str, role: str) -> None:
        """Bind a service account to a cluster role within the namespace."""
        self.cluster.request(
            "POST",
            f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}/rolebindings",
            {
                "metadata": {"generateName": "let-"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": self.namespace}],
            },
        )


@asynccontextmanager
async def placing(cluster: Cluster, folder: Path) -> AsyncIterator[Place]:
    """A place that is deleted with the block."""
    async with cluster.namespace() as namespace:
        kubeconfig = folder / "kubeconfig"
        cluster.write_kubeconfig(kubeconfig, namespace)
        yield Place(cluster, namespace, kubeconfig, folder)


def a_config_map(name: str = "settings", *, labels: dict[str, str] | None = None, **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels or {}},
        "data": data,
    }


def a_pod(name: str = "web", **spec: Any) -> Object:
    containers = [{"name": "web", "image": "example.com/web:1", "ports": [{"containerPort": 80}]}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": containers, "terminationGracePeriodSeconds": 0, **spec},
    }


def a_deployment(name: str = "web", replicas: int = 2) -> Object:
    pod = a_pod(name)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod["spec"]},
        },
    }


def a_stateful_set(name: str = "db", replicas: int = 1) -> Object:
    deployment = a_deployment(name, replicas)
    return {**deployment, "kind": "StatefulSet", "spec": {**deployment["spec"], "serviceName": name}}
