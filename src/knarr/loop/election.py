"""Leader election over a Lease, with client-go's timings: of many that could work, one does.

The holder renews every 2 s; when it could not for 10 s it stops working, 5 s before anybody else may begin. A holder
that ends gives the lease back at once. Another's lease is judged by the own clock: 15 s after its last seen change.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from msgspec.structs import replace

from knarr.client.api import Api
from knarr.client.transport import TransportError
from knarr.kinds.types.coordination_v1 import Lease, LeaseSpec
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta import clock
from knarr.meta.errors import ApiError, NotFound

LEASE_SECONDS, RENEW_SECONDS, RETRY_SECONDS, JITTER = 15, 10.0, 2.0, 1.2

log = logging.getLogger("knarr.loop")


@dataclass
class Seen:
    """Another's claim, and when (by the running loop) it last changed."""

    renewed: str = ""
    at: float = float("-inf")


class Election:
    """One candidate."""

    def __init__(self, api: Api, name: str, identity: str, namespace: str = "kube-system") -> None:
        self._api, self.name, self.namespace, self.identity = api, name, namespace, identity
        self._seen = Seen()

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait to be elected, then work until the work ends, the lease is lost, or cancelled; then give it back."""
        log.info("%s would lead %s/%s", self.identity, self.namespace, self.name)
        since = await self._wait_elected()
        log.info("%s leads %s/%s", self.identity, self.namespace, self.name)
        working = asyncio.ensure_future(work())
        renewing = asyncio.ensure_future(self._renew(since))
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, renewing):
                task.cancel()
            results = await asyncio.gather(working, renewing, return_exceptions=True)
            await self._release()
        if isinstance(results[0], Exception):
            raise results[0]

    async def _wait_elected(self) -> float:
        """Wait to hold the lease; give since when."""
        while True:
            if (since := await self._try()) is not None:
                return since
            await asyncio.sleep(RETRY_SECONDS * (1 + JITTER * clock.rng().random()))

    async def _renew(self, since: float) -> None:
        """Renew until that has failed for too long, be it that no answer comes."""
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout_at(since + RENEW_SECONDS):
                    await asyncio.sleep(RETRY_SECONDS)
                    if (renewed := await self._try()) is not None:
                        since = renewed
        log.warning("%s lost %s/%s", self.identity, self.namespace, self.name)

    async def _try(self) -> float | None:
        """Take or renew the lease; since when it is surely held, by the running loop, or None when it is not.

        That is when it was asked for: others may see the renewal long before its answer comes.
        """
        asked = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                return asked if await self._take() else None
        except (ApiError, TransportError, TimeoutError) as error:
            log.debug("lease %s/%s: %s", self.namespace, self.name, error)
            return None

    async def _take(self) -> bool:
        now = clock.micro_timestamp()
        wanted = LeaseSpec(
            holderIdentity=self.identity,
            leaseDurationSeconds=LEASE_SECONDS,
            acquireTime=now,
            renewTime=now,
            leaseTransitions=0,
        )
        try:
            lease = await self._api.get(Lease, self.name, self.namespace)
        except NotFound:
            await self._api.create(Lease(metadata=ObjectMeta(name=self.name, namespace=self.namespace), spec=wanted))
            return True
        if not self._free(lease.spec):
            return False
        await self._api.update(replace(lease, spec=succession(lease.spec, wanted)))
        return True

    def _free(self, spec: LeaseSpec) -> bool:
        """Whether the lease is this candidate's to write."""
        loop = asyncio.get_running_loop()
        if spec.renewTime != self._seen.renewed:
            self._seen = Seen(spec.renewTime, loop.time())
        if not spec.holderIdentity or spec.holderIdentity == self.identity:
            return True
        return loop.time() - self._seen.at > (spec.leaseDurationSeconds or 0)

    async def _release(self) -> None:
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                await self._give_back()
        except (ApiError, TransportError, TimeoutError) as error:
            log.debug("lease %s/%s not given back: %s", self.namespace, self.name, error)

    async def _give_back(self) -> None:
        lease = await self._api.get(Lease, self.name, self.namespace)
        if lease.spec.holderIdentity == self.identity:
            now = clock.micro_timestamp()
            spec = replace(lease.spec, holderIdentity="", leaseDurationSeconds=1, renewTime=now, acquireTime=now)
            await self._api.update(replace(lease, spec=spec))


def succession(before: LeaseSpec, wanted: LeaseSpec) -> LeaseSpec:
    """The wanted spec with what it takes over from the one before: the holder's start, or one transition more."""
    if before.holderIdentity == wanted.holderIdentity:
        return replace(wanted, acquireTime=before.acquireTime, leaseTransitions=before.leaseTransitions)
    return replace(wanted, leaseTransitions=(before.leaseTransitions or 0) + 1)
