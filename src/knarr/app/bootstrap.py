"""The objects every cluster has from its first second: namespaces, classes, the services of the API and the DNS.

`ensure` creates what is missing and leaves what is there, so a user's changes survive restarts. Objects that do not
need one another are created at the same time: their writes share a commit.
"""

import asyncio
import contextlib
from collections.abc import Iterator

from knarr.app.config import Cluster
from knarr.client.api import Api
from knarr.kinds.first_objects import cluster_wide
from knarr.kinds.types import core_v1, discovery_v1, meta_v1
from knarr.kinds.types.base import Type
from knarr.meta.errors import AlreadyExists


async def ensure(api: Api, cluster: Cluster) -> None:
    """Create each of the cluster's own objects that is missing, and point `kubernetes` at this API server."""
    await asyncio.gather(*(create(api, object_) for object_ in cluster_wide()))
    await asyncio.gather(  # these need their namespaces
        create(api, kubernetes_service(cluster)),
        create(api, dns_service(cluster)),
        *(put(api, object_) for object_ in endpoints(cluster)),
    )


def endpoints(cluster: Cluster) -> Iterator[core_v1.Endpoints | discovery_v1.EndpointSlice]:
    """Where the cluster's own services lead: to this server."""
    yield kubernetes_endpoints(cluster)
    yield kubernetes_slice(cluster)
    if cluster.runtime != "simulated":
        yield from dns_endpoints(cluster)


async def create(api: Api, object_: Type) -> None:
    """Create an object, unless it is there."""
    with contextlib.suppress(AlreadyExists):
        await api.create(object_)


async def put(api: Api, object_: Type) -> None:
    """Create an object, or make the one that is there like it."""
    try:
        await api.create(object_)
    except AlreadyExists:
        await api.update(object_)


def kubernetes_service(cluster: Cluster) -> core_v1.Service:
    labels = {"component": "apiserver", "provider": "kubernetes"}
    port = core_v1.ServicePort(name="https", port=443, protocol="TCP", targetPort=cluster.port)
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(name="kubernetes", namespace="default", labels=labels),
        spec=core_v1.ServiceSpec(clusterIP=cluster.network.api, ports=[port], sessionAffinity="None", type="ClusterIP"),
    )


def dns_service(cluster: Cluster) -> core_v1.Service:
    ports = [
        core_v1.ServicePort(name="dns", port=53, protocol="UDP", targetPort=53),
        core_v1.ServicePort(name="dns-tcp", port=53, protocol="TCP", targetPort=53),
        core_v1.ServicePort(name="metrics", port=9153, protocol="TCP", targetPort=9153),
    ]
    labels = {"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
    addresses = cluster.network.dns_addresses
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(name="kube-dns", namespace="kube-system", labels=labels),
        spec=core_v1.ServiceSpec(
            clusterIP=addresses[0],
            clusterIPs=list(addresses),
            ipFamilyPolicy="PreferDualStack" if len(addresses) > 1 else "SingleStack",
            ports=ports,
        ),
    )


def own_address(cluster: Cluster) -> str:
    """This machine's on the cluster's bridge, of the family of the service `kubernetes`."""
    return cluster.network.host6 if ":" in cluster.network.api else cluster.network.host


def kubernetes_endpoints(cluster: Cluster) -> core_v1.Endpoints:
    """Where this server can be reached; upstream refuses a loopback address here."""
    metadata = meta_v1.ObjectMeta(
        name="kubernetes",
        namespace="default",
        labels={"endpointslice.kubernetes.io/skip-mirror": "true"},
    )
    return core_v1.Endpoints(
        metadata=metadata,
        subsets=[
            core_v1.EndpointSubset(
                addresses=[core_v1.EndpointAddress(ip=own_address(cluster))],
                ports=[core_v1.EndpointPort(name="https", port=cluster.port, protocol="TCP")],
            )
        ],
    )


def kubernetes_slice(cluster: Cluster) -> discovery_v1.EndpointSlice:
    """The same as an EndpointSlice."""
    ready = discovery_v1.EndpointConditions(ready=True)
    return discovery_v1.EndpointSlice(
        metadata=meta_v1.ObjectMeta(
            name="kubernetes", namespace="default", labels={"kubernetes.io/service-name": "kubernetes"}
        ),
        addressType="IPv6" if ":" in own_address(cluster) else "IPv4",
        endpoints=[discovery_v1.Endpoint(addresses=[own_address(cluster)], conditions=ready)],
        ports=[discovery_v1.EndpointPort(name="https", port=cluster.port, protocol="TCP")],
    )


def dns_endpoints(cluster: Cluster) -> Iterator[core_v1.Endpoints | discovery_v1.EndpointSlice]:
    """Where the cluster's DNS answers: at the addresses of its service itself, which every node has a way to."""
    ports = dns_service(cluster).spec.ports
    labels = {"k8s-app": "kube-dns", "endpointslice.kubernetes.io/skip-mirror": "true"}
    yield core_v1.Endpoints(
        metadata=meta_v1.ObjectMeta(name="kube-dns", namespace="kube-system", labels=labels),
        subsets=[
            core_v1.EndpointSubset(
                addresses=[core_v1.EndpointAddress(ip=cluster.network.dns)],
                ports=[core_v1.EndpointPort(name=port.name, port=port.port, protocol=port.protocol) for port in ports],
            )
        ],
    )
    for number, address in enumerate(cluster.network.dns_addresses):
        ready = discovery_v1.EndpointConditions(ready=True)
        yield discovery_v1.EndpointSlice(
            metadata=meta_v1.ObjectMeta(
                name="kube-dns" if not number else "kube-dns-second",
                namespace="kube-system",
                labels={"k8s-app": "kube-dns", "kubernetes.io/service-name": "kube-dns"},
            ),
            addressType="IPv6" if ":" in address else "IPv4",
            endpoints=[discovery_v1.Endpoint(addresses=[address], conditions=ready)],
            ports=[discovery_v1.EndpointPort(name=port.name, port=port.port, protocol=port.protocol) for port in ports],
        )
