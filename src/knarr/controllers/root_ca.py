"""The cluster's certificate authority: every namespace has it in the ConfigMap `kube-root-ca.crt`, which pods mount."""

from functools import partial

from msgspec.structs import replace

from knarr.kinds.types.core_v1 import ConfigMap, Namespace
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Create, Replace, Step

NAME = "kube-root-ca.crt"
OURS = f"metadata.name={NAME}"  #: all other ConfigMaps need not be held
DESCRIPTION = "kubernetes.io/description"
DESCRIBED = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


def plan(ca: str, namespace: Namespace, current: ConfigMap | None) -> list[Step]:
    """Return the step that publishes the authority's certificate, given as PEM, in the namespace; none when it is not
    known, so that whom pods trust is never taken away."""
    if not ca or namespace.metadata.deletionTimestamp or namespace.status.phase == "Terminating":
        return []
    data = {"ca.crt": ca}
    if current is None:
        metadata = ObjectMeta(name=NAME, namespace=namespace.metadata.name, annotations={DESCRIPTION: DESCRIBED})
        return [Create(ConfigMap(metadata=metadata, data=data), keep=True)]
    if current.data == data and current.metadata.annotations.get(DESCRIPTION):
        return []
    annotations = {**current.metadata.annotations, DESCRIPTION: DESCRIBED}
    return [Replace(replace(current, data=data, metadata=replace(current.metadata, annotations=annotations)))]


async def sync(ca: str, key: Key, context: Context) -> None:
    _, name = key
    if (namespace := context.cache(Namespace).get(name)) is None:
        return
    current = context.cache(ConfigMap, fields=OURS).get(NAME, name)
    await carry_out(context.api, plan(ca, namespace, current), context.recorder)


def its_namespace(found: ConfigMap) -> list[Key]:
    return [("", found.metadata.namespace)] if found.metadata.name == NAME else []


def controller(ca: str) -> Controller:
    """The controller for a cluster whose authority's certificate is `ca`, PEM."""
    return Controller(
        name="root-ca-certificate-publisher",
        sources=[
            Source(Namespace, itself),
            Source(ConfigMap, its_namespace, fields=OURS),
        ],
        sync=partial(sync, ca),
    )
