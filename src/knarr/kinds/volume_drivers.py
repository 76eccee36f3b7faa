"""Which CSI driver serves a volume: its own, or the one that took over from a plugin that upstream once had inside."""

from typing import Protocol

from knarr.kinds.types.core_v1 import CSIPersistentVolumeSource, CSIVolumeSource

RESIZER = "volume.kubernetes.io/storage-resizer"  #: a claim's annotation: who is to grow its volume
#: source -> the plugin's name in upstream, and the driver that serves its volumes now
MIGRATED = {
    "gcePersistentDisk": ("kubernetes.io/gce-pd", "pd.csi.storage.gke.io"),
    "awsElasticBlockStore": ("kubernetes.io/aws-ebs", "ebs.csi.aws.com"),
    "azureDisk": ("kubernetes.io/azure-disk", "disk.csi.azure.com"),
    "azureFile": ("kubernetes.io/azure-file", "file.csi.azure.com"),
    "cinder": ("kubernetes.io/cinder", "cinder.csi.openstack.org"),
    "portworxVolume": ("kubernetes.io/portworx-volume", "pxd.portworx.com"),
    "vsphereVolume": ("kubernetes.io/vsphere-volume", "csi.vsphere.vmware.com"),
}
PROVISIONERS = dict(MIGRATED.values())  #: a plugin's name as a class's provisioner -> the driver


class Sources(Protocol):
    """What has the sources of a volume: a pod's volume, or the spec of a persistent one."""

    @property
    def csi(self) -> CSIVolumeSource | CSIPersistentVolumeSource | None: ...


def driver_of(volume: Sources) -> str:
    """The driver that has to serve a volume; "" where it needs none."""
    if volume.csi is not None:
        return volume.csi.driver
    return next((driver for source, (_, driver) in MIGRATED.items() if getattr(volume, source) is not None), "")
