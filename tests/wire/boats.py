"""A custom resource for the clients that know none: boats, with a schema, a status and a scale."""

import urllib.error

from tests.wire.kubectl_cluster import Cluster, until

GROUP = "python.example.com"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
BOAT = {"apiVersion": f"{GROUP}/v1", "kind": "Boat", "metadata": {"name": "skuld"}, "spec": {"oars": 6}}
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "properties": {"oars": {"type": "integer", "minimum": 2, "default": 4}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
VERSION = {
    "name": "v1",
    "served": True,
    "storage": True,
    "schema": {"openAPIV3Schema": SCHEMA},
    "subresources": {
        "status": {},
        "scale": {"specReplicasPath": ".spec.oars", "statusReplicasPath": ".status.oars"},
    },
}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"boats.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": "Boat", "plural": "boats", "singular": "boat", "listKind": "BoatList"},
        "versions": [VERSION],
    },
}


async def serve_boats(cluster: Cluster) -> None:
    """Have a cluster serve boats, from now on."""
    try:
        cluster.request("POST", DEFINITIONS, DEFINITION)
    except urllib.error.HTTPError as error:
        if error.code != 409:  # an earlier test's
            raise
    await until(lambda: cluster.has(f"/apis/{GROUP}/v1"))
