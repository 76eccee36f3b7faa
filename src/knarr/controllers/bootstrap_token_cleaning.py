"""Bootstrap tokens: those in `kube-system` that are over are deleted, to the second."""

import base64
from datetime import UTC, datetime

from knarr.kinds.types.core_v1 import Secret
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Delete, Step, Wait
from knarr.meta import clock

TYPE, NAMESPACE = "bootstrap.kubernetes.io/token", "kube-system"
OURS = f"type={TYPE}"
EXPIRATION = "expiration"


def plan(secret: Secret, now: datetime) -> list[Step]:
    """Delete a token that is over, or whose end cannot be read; wait for the end of another."""
    if not secret.data.get(EXPIRATION) or secret.metadata.deletionTimestamp:
        return []
    end = expiration(secret)
    if end is None or end <= now:
        return [Delete(secret, "expired")]
    return [Wait(secret, "expires", end)]


def expiration(secret: Secret) -> datetime | None:
    """When the token is over; None for a time that is none."""
    try:
        found = datetime.fromisoformat(base64.b64decode(secret.data[EXPIRATION]).decode())
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


async def sync(key: Key, context: Context) -> datetime | None:
    secret = context.cache(Secret, namespace=NAMESPACE, fields=OURS).get(key[1], key[0])
    if secret is None:
        return None
    return await carry_out(context.api, plan(secret, clock.now()), context.recorder)


CONTROLLER = Controller(
    name="token-cleaner", sources=[Source(Secret, itself, namespace=NAMESPACE, fields=OURS)], sync=sync
)
