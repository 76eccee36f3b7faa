"""ResourceQuota: what a namespace uses in all stays within its quotas.

What a request uses is written into the quotas' status before the object is, by the status' resourceVersion: so several
servers can't give out the same twice. Requests of one namespace that wait for that write share the next one. What is
charged and then not written, or freed, is for the quota controller to count anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from knarr.kinds import quota_usage
from knarr.kinds.kind import Kind
from knarr.kinds.quota_usage import Usage
from knarr.kinds.types.core_v1 import ResourceQuota
from knarr.meta import clock
from knarr.meta.errors import ApiError, Conflict, NotFound
from knarr.server.admission import Admission, State

TRIES = 10  #: how often a quota is looked at anew because others have written to it

#: Writes a quota's use; raises Conflict when it has changed meanwhile.
Charge = Callable[[ResourceQuota, Mapping[str, str]], Awaitable[None]]


@dataclass(slots=True, eq=False)
class _Waiter:
    admission: Admission
    done: bool = False
    error: ApiError | None = None


@dataclass(slots=True)
class Account:
    """A quota while requests are counted against it."""

    quota: ResourceQuota
    hard: Usage
    used: Usage
    changed: bool = False


class ResourceQuotas:
    def __init__(self, charge: Charge) -> None:
        self._charge = charge
        self._waiting: dict[str, list[_Waiter]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._named: dict[str, tuple[Sequence[ResourceQuota], set[str]]] = {}  # by namespace: its quotas' resources

    async def admit(self, admission: Admission, state: State) -> None:
        if not handles(admission):
            return
        found = await state.list(ResourceQuota, admission.namespace)
        if not self._counted(admission.namespace, admission.kind, found):
            return
        namespace, waiter = admission.namespace, _Waiter(admission)
        waiting = self._waiting.setdefault(namespace, [])
        waiting.append(waiter)
        lock = self._locks.setdefault(namespace, asyncio.Lock())
        try:
            async with lock:
                if not waiter.done:
                    await self._settle(namespace, state)
        finally:
            if waiter in waiting:
                waiting.remove(waiter)  # cancelled before its turn
            if not waiting and not lock.locked() and self._waiting.get(namespace) is waiting:
                del self._waiting[namespace], self._locks[namespace]
        if waiter.error is not None:
            raise waiter.error

    def _counted(self, namespace: str, kind: Kind, quotas: Sequence[ResourceQuota]) -> bool:
        """Whether any of a namespace's quotas counts a kind; what they name is kept until one of them is written."""
        if not quotas:
            self._named.pop(namespace, None)
            return False
        known = self._named.get(namespace)
        if known is None or known[0] is not quotas:
            known = self._named[namespace] = (quotas, {name for quota in quotas for name in quota.status.hard})
        return bool(quota_usage.names(kind, known[1]))

    async def _settle(self, namespace: str, state: State) -> None:
        """Decide about all that wait."""
        batch = list(self._waiting[namespace])
        names: set[str] | None = None  # of the quotas that are still to be written; all of them at first
        for left in reversed(range(TRIES)):
            found = await state.list(ResourceQuota, namespace)
            asked = [waiter.admission for waiter in batch]
            left_over = [quota for quota in found if names is None or quota.metadata.name in names]
            accounts = [account_of(quota) for quota in left_over if concerns(quota, asked)]
            for waiter in batch:
                if waiter.error is None:
                    waiter.error = _verdict(accounts, waiter.admission)
            failed = [error for account in accounts if (error := await self._write(account)) is not None]
            names = {name for name, _ in failed}
            if not names:
                break
            if not left:
                for waiter in batch:
                    waiter.error = waiter.error or failed[0][1]
        for waiter in batch:
            waiter.done = True
            if waiter in self._waiting[namespace]:  # else it was cancelled meanwhile
                self._waiting[namespace].remove(waiter)

    async def _write(self, account: Account) -> tuple[str, ApiError] | None:
        """Write a quota that has changed; its name and what went wrong when that must be tried again."""
        if not account.changed:
            return None
        try:
            await self._charge(account.quota, {name: str(amount) for name, amount in account.used.items()})
        except NotFound:
            return None  # a quota that is gone limits nothing
        except Conflict as error:
            return account.quota.metadata.name, error
        return None


def handles(admission: Admission) -> bool:
    """Whether a request may use something up."""
    kind, sub = admission.kind.resource, admission.subresource
    if not admission.namespace or not admission.kind.namespaced or kind in ("events", "events.events.k8s.io"):
        return False
    if admission.verb == "create":
        return not sub
    if admission.verb != "update":
        return False
    if kind == "pods":
        return sub == "resize"
    if kind == "persistentvolumeclaims":
        return sub in ("", "status")
    return kind == "services" and not sub


def concerns(quota: ResourceQuota, asked: Iterable[Admission]) -> bool:
    """Whether a quota counts anything that one of these requests may use up."""
    return any(
        quota_usage.names(kind, quota.status.hard) for kind in {one.kind.resource: one.kind for one in asked}.values()
    )


def account_of(quota: ResourceQuota) -> Account:
    return Account(quota, quota_usage.parsed(quota.status.hard), quota_usage.parsed(quota.status.used))


def _verdict(accounts: Sequence[Account], admission: Admission) -> ApiError | None:
    try:
        count(accounts, admission)
    except ApiError as error:
        return error
    return None


def count(accounts: Sequence[Account], admission: Admission) -> None:
    """Count a request against the quotas that it concerns; raises Forbidden, and then counts it nowhere."""
    kind, found, now = admission.kind, admission.object(), clock.now()
    concerned = [
        (account, names)
        for account in accounts
        if (names := quota_usage.names(kind, account.hard))
        and quota_usage.in_scope(kind, account.quota.spec, found)
        and _complete(account, names, admission)
    ]
    if not concerned:
        return
    new = quota_usage.usage(kind, found, now)
    before = admission.old_object() if admission.verb == "update" else None
    was = quota_usage.usage(kind, before, now) if before is not None else {}
    charges: list[tuple[Account, Usage]] = []
    for account, names in concerned:
        counted = before is not None and quota_usage.in_scope(kind, account.quota.spec, before)
        asked = {name: new[name] - was[name] if counted and name in was else new[name] for name in names if name in new}
        asked = {name: amount for name, amount in asked.items() if amount.nano > 0}
        if admission.subresource != "status":
            _fits(account, asked, admission)
        charges.append((account, asked))
    if admission.dry_run:
        return
    for account, asked in charges:
        if asked:
            account.used, account.changed = quota_usage.add(account.used, asked), True


def _complete(account: Account, names: Sequence[str], admission: Admission) -> bool:
    """True; raises Forbidden when the object or the quota leaves out what is needed to count."""
    name = account.quota.metadata.name
    if admission.kind.resource == "pods":
        missing = quota_usage.unnamed(admission.object(), names)
        if missing:
            text = "; ".join(f"{resource} for: {','.join(containers)}" for resource, containers in missing.items())
            raise admission.refuse(f"failed quota: {name}: must specify {text}")
    if any(resource not in account.used for resource in names):
        raise admission.refuse(f"status unknown for quota: {name}, resources: {','.join(sorted(names))}")
    return True


def _fits(account: Account, asked: Usage, admission: Admission) -> None:
    over = {name for name, amount in asked.items() if account.used[name] + amount > account.hard[name]}
    if over:
        requested, used, limited = (
            quota_usage.shown({name: amounts[name] for name in over}) for amounts in (asked, account.used, account.hard)
        )
        raise admission.refuse(
            f"exceeded quota: {account.quota.metadata.name}, requested: {requested}, used: {used}, limited: {limited}"
        )
