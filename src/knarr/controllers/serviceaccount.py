"""ServiceAccounts: every namespace has one named `default`, which pods use that ask for no other."""

from knarr.kinds.types.core_v1 import Namespace, ServiceAccount
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source
from knarr.loop.steps import Create, Step

NAME = "default"


def plan(namespace: Namespace, account: ServiceAccount | None) -> list[Step]:
    """Return the step that makes the account, unless it is there or the namespace goes."""
    if account is not None or namespace.metadata.deletionTimestamp or namespace.status.phase == "Terminating":
        return []
    made = ServiceAccount(metadata=ObjectMeta(name=NAME, namespace=namespace.metadata.name))
    return [Create(made, keep=True)]


async def sync(key: Key, context: Context) -> None:
    _, name = key
    if (namespace := context.cache(Namespace).get(name)) is None:
        return
    account = context.cache(ServiceAccount).get(NAME, name)
    await carry_out(context.api, plan(namespace, account), context.recorder)


def its_namespace(account: ServiceAccount) -> list[Key]:
    return [("", account.metadata.namespace)] if account.metadata.name == NAME else []


CONTROLLER = Controller(
    name="serviceaccount",
    sources=[
        Source(Namespace, lambda namespace: [("", namespace.metadata.name)]),
        Source(ServiceAccount, its_namespace),
    ],
    sync=sync,
    component="service-account-controller",
)
