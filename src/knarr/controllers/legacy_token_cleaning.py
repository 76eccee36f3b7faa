"""Old tokens: Secrets with a token of an account that names them, which nobody used for a year, are disabled, then go.

Keeps true: a token is not touched unless the server has noted the use of tokens for that long; before it is deleted it
is no good for a year, which a label says. Who still needs one takes the label off. Accounts named their token's Secret
when each was given one (before Kubernetes 1.24); a Secret that somebody made by hand is not named, and stays.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from knarr.controllers.service_account_secrets import OURS
from knarr.kinds.pod_references import references
from knarr.kinds.secret import ACCOUNT_NAME, ACCOUNT_UID, DAY, INVALID_SINCE, LAST_USED
from knarr.kinds.types.core_v1 import ConfigMap, Pod, Secret, ServiceAccount
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Delete, Patch, Step, Wait
from knarr.meta import clock

YEAR = timedelta(days=365)
LOOK = timedelta(days=1)  #: between two looks at a token
NAMESPACE, TRACKING = "kube-system", "kube-apiserver-legacy-service-account-token-tracking"
SINCE = "since"  #: the key of that ConfigMap: the day from which on the server has noted the use of tokens
TRACKED = f"metadata.name={TRACKING}"


def plan(
    secret: Secret, account: ServiceAccount | None, tracking: ConfigMap | None, *, mounted: bool, now: datetime
) -> list[Step]:
    """Disable the token, or delete one that was disabled; why neither is to be done yet."""
    if secret.metadata.deletionTimestamp or not is_named(secret, account):
        return []
    if (why := needed(secret, tracking, now - YEAR)) or (why := "a pod has it" if mounted else ""):
        return [Wait(secret, why, now + LOOK)]
    invalid = day(secret.metadata.labels.get(INVALID_SINCE, ""))
    if invalid is None:
        label = {"metadata": {"uid": secret.metadata.uid, "labels": {INVALID_SINCE: f"{now:{DAY}}"}}}
        return [Patch(secret, label, reason="its token was not used for a year")]
    if invalid >= (now - YEAR).date():
        return [Wait(secret, "its token was good less than a year ago", now + LOOK)]
    return [Delete(secret, "its token is no good for a year", unchanged=True)]


def needed(secret: Secret, tracking: ConfigMap | None, limit: datetime) -> str:
    """Why a token may have been used since `limit`; "" when it was not."""
    since = day(tracking.data.get(SINCE, "")) if tracking is not None else None
    if since is None or datetime(since.year, since.month, since.day, tzinfo=UTC) + timedelta(days=1) > limit:
        return "the use of tokens is noted for less than a year"
    if clock.parse(secret.metadata.creationTimestamp) >= limit:
        return "it is less than a year old"
    if LAST_USED in secret.metadata.labels:
        used = day(secret.metadata.labels[LAST_USED])
        if used is None or used >= limit.date():
            return "its token was used within a year"
    return ""


def day(text: str) -> date | None:
    """The day that a label names; None for what is none."""
    try:
        return datetime.strptime(text, DAY).replace(tzinfo=UTC).date()
    except ValueError:
        return None


def is_named(secret: Secret, account: ServiceAccount | None) -> bool:
    """Whether the Secret's account is this one, and names it."""
    if account is None or secret.metadata.annotations.get(ACCOUNT_UID, account.metadata.uid) != account.metadata.uid:
        return False
    return any(each.name == secret.metadata.name for each in account.secrets)


async def sync(key: Key, context: Context) -> datetime | None:
    namespace, name = key
    secret = context.cache(Secret, fields=OURS).get(name, namespace)
    if secret is None:
        return None
    account = context.cache(ServiceAccount).get(secret.metadata.annotations.get(ACCOUNT_NAME, ""), namespace)
    tracking = context.cache(ConfigMap, namespace=NAMESPACE, fields=TRACKED).get(TRACKING, NAMESPACE)
    steps = plan(secret, account, tracking, mounted=False, now=clock.now())
    if any(isinstance(step, Patch | Delete) for step in steps):  # hardly ever: nobody need follow all pods for it
        pods = (await context.api.list(Pod, namespace)).items
        mounted = any(("secrets", name) in references(pod) for pod in pods)
        steps = plan(secret, account, tracking, mounted=mounted, now=clock.now())
    return await carry_out(context.api, steps, context.recorder)


def named(account: ServiceAccount) -> Iterable[Key]:
    return [(account.metadata.namespace, each.name) for each in account.secrets]


CONTROLLER = Controller(
    name="legacy-serviceaccount-token-cleaner",
    sources=[
        Source(Secret, itself, fields=OURS),
        Source(ServiceAccount, named),
        Source(ConfigMap, namespace=NAMESPACE, fields=TRACKED),
    ],
    sync=sync,
)
