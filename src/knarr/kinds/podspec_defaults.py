"""Defaults of a pod's spec and of pod templates, on Trees.

`spec_defaults` holds for pods and templates alike; what only a pod gets (requests from limits, service links) is in
`pod.py`. Called by the `defaults` of every kind that holds a pod template.
"""

from knarr.kinds.images import pull_policy
from knarr.kinds.kind import Tree
from knarr.kinds.trees import child, fill, fill_zero, items, part
from knarr.kinds.volume_defaults import field_ref_defaults, volume_defaults

CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
TERMINATION_LOG = "/dev/termination-log"


def template_defaults(template: Tree) -> None:
    """Fill in a pod template."""
    spec_defaults(child(template, "spec"))


def spec_defaults(spec: Tree) -> None:
    """Fill in what a pod or a template left out of its spec."""
    fill_zero(spec, dnsPolicy="ClusterFirst", restartPolicy="Always", schedulerName="default-scheduler")
    fill(spec, terminationGracePeriodSeconds=30)
    child(spec, "securityContext")
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    elif spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for volume in items(spec, "volumes"):
        volume_defaults(volume)
    for container in items(spec, *CONTAINER_LISTS):
        container_defaults(container)
    if spec.get("hostNetwork"):
        for port in (port for c in items(spec, "containers", "initContainers") for port in items(c, "ports")):
            fill_zero(port, hostPort=port.get("containerPort", 0))


def container_defaults(container: Tree) -> None:
    """Fill in one container of any list."""
    fill_zero(container, terminationMessagePath=TERMINATION_LOG, terminationMessagePolicy="File")
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = pull_policy(container.get("image", ""))
    child(container, "resources")
    for port in items(container, "ports"):
        fill_zero(port, protocol="TCP")
    for variable in items(container, "env"):
        field_ref_defaults(part(variable, "valueFrom"))
        if "fileKeyRef" in part(variable, "valueFrom"):
            fill(variable["valueFrom"]["fileKeyRef"], optional=False)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            probe_defaults(container[name])
    if "lifecycle" in container:
        for moment in ("postStart", "preStop"):
            handler_defaults(part(container, "lifecycle", moment))


def probe_defaults(probe: Tree) -> None:
    fill_zero(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    handler_defaults(probe)
    if "grpc" in probe:
        fill(probe["grpc"], service="")


def handler_defaults(handler: Tree) -> None:
    if "httpGet" in handler:
        fill_zero(handler["httpGet"], path="/", scheme="HTTP")


def requests_from_limits(resources: Tree) -> None:
    """Request what is limited, where nothing is requested."""
    if limits := resources.get("limits"):
        requests = child(resources, "requests")
        for name, amount in limits.items():
            requests.setdefault(name, amount)
