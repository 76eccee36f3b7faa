"""An operator: every Boat gets a Deployment of as many rowers as it has oars, and says how many are aboard."""

import kopf
from kubernetes import client, config


@kopf.on.startup()
def connect(**_):
    config.load_config()


@kopf.on.create("example.com", "v1", "boats")
@kopf.on.update("example.com", "v1", "boats", field="spec.oars")
def crew(name, namespace, spec, **_):
    rower = {"name": "rower", "image": "rower", "imagePullPolicy": "Never", "command": ["sleep", "infinity"]}
    body = {
        "metadata": {"name": f"{name}-crew"},
        "spec": {
            "replicas": spec["oars"],
            "selector": {"matchLabels": {"boat": name}},
            "template": {"metadata": {"labels": {"boat": name}}, "spec": {"containers": [rower]}},
        },
    }
    kopf.adopt(body)
    apps = client.AppsV1Api()
    try:
        apps.create_namespaced_deployment(namespace, body)
    except client.ApiException as error:
        if error.status != 409:
            raise
        apps.patch_namespaced_deployment(f"{name}-crew", namespace, body)


@kopf.on.event("apps", "v1", "deployments")
def count(body, namespace, **_):
    for owner in body.metadata.get("ownerReferences", []):
        if owner["kind"] == "Boat":
            aboard = {"status": {"aboard": body.get("status", {}).get("readyReplicas", 0)}}
            client.CustomObjectsApi().patch_namespaced_custom_object_status(
                "example.com", "v1", namespace, "boats", owner["name"], aboard
            )
