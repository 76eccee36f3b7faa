"""Pods for the node's tests."""

import msgspec

from knarr.kinds.types.core_v1 import Pod


def tree(name="a", *, image="app:1", restart="Always", annotations=None, policy="IfNotPresent", **spec):
    container = {"name": "main", "image": image, "imagePullPolicy": policy} | spec.pop("container", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-of-{name}",
            "annotations": annotations or {},
        },
        "spec": {"nodeName": "n0", "restartPolicy": restart, "containers": [container]} | spec,
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    }


def a_pod(name="a", *, meta=None, status=None, **fields):
    given = tree(name, **fields)
    given["metadata"] |= meta or {}
    given["status"] |= status or {}
    return msgspec.convert(given, Pod)
