"""Defaults of volumes and of their sources, for pods, templates and persistent volumes."""

from knarr.kinds.images import pull_policy
from knarr.kinds.kind import Tree
from knarr.kinds.trees import child, fill, fill_zero, items

MODE = 0o644
DAY = 86400


def volume_defaults(volume: Tree) -> None:
    """Fill in one volume of a pod; one that names no source is an empty directory."""
    if not volume.keys() - {"name"}:
        volume["emptyDir"] = {}
    for source in ("secret", "configMap", "downwardAPI", "projected"):
        if source in volume:
            fill(volume[source], defaultMode=MODE)
    for item in items(volume.get("downwardAPI") or {}, "items"):
        field_ref_defaults(item)
    for projection in items(volume.get("projected") or {}, "sources"):
        projection_defaults(projection)
    if "image" in volume:
        fill_zero(volume["image"], pullPolicy=pull_policy(volume["image"].get("reference", "")))
    if "ephemeral" in volume and "volumeClaimTemplate" in volume["ephemeral"]:
        claim_defaults(child(volume["ephemeral"]["volumeClaimTemplate"], "spec"))
    source_defaults(volume)


def claim_defaults(spec: Tree) -> None:
    """Fill in the spec of a claim, or of a template of one."""
    fill(spec, volumeMode="Filesystem")
    child(spec, "resources")


def projection_defaults(projection: Tree) -> None:
    """Fill in one source of a projected volume."""
    if "serviceAccountToken" in projection:
        fill(projection["serviceAccountToken"], expirationSeconds=3600)
    if "podCertificate" in projection:
        fill(projection["podCertificate"], maxExpirationSeconds=DAY)
    for item in items(projection.get("downwardAPI") or {}, "items"):
        field_ref_defaults(item)


def field_ref_defaults(item: Tree) -> None:
    """Fill in what a file or a variable refers to in the pod."""
    if "fieldRef" in item:
        fill_zero(item["fieldRef"], apiVersion="v1")
    if "resourceFieldRef" in item:
        fill_zero(item["resourceFieldRef"], divisor="0")


def source_defaults(tree: Tree) -> None:
    """Fill in the sources that pods' volumes and persistent volumes share."""
    if "hostPath" in tree:
        fill(tree["hostPath"], type="")
    if "iscsi" in tree:
        fill_zero(tree["iscsi"], iscsiInterface="default")
    if "rbd" in tree:
        fill_zero(tree["rbd"], pool="rbd", user="admin", keyring="/etc/ceph/keyring")
    if "azureDisk" in tree:
        fill(tree["azureDisk"], cachingMode="ReadWrite", kind="Shared", fsType="ext4", readOnly=False)
    if "scaleIO" in tree:
        fill_zero(tree["scaleIO"], storageMode="ThinProvisioned", fsType="xfs")
