"""Writes on a Secret on which day its token was last used, once a day, for who clears away tokens that nobody needs."""

import logging
from datetime import timedelta

from knarr.kinds.secret import DAY, LAST_USED
from knarr.kinds.types.core_v1 import Secret
from knarr.meta import clock
from knarr.meta.errors import ApiError
from knarr.registry.core import Options
from knarr.registry.registry import Registry
from knarr.server.authentication.legacy_tokens import Used

MANAGER = "kube-apiserver"
log = logging.getLogger(__name__)


def noting(registry: Registry) -> Used:
    """What notes the use of a token. A note that cannot be written keeps nobody out: it is logged."""
    kind = registry.kinds.by_type(Secret)

    async def note(holder: Secret) -> None:
        meta, now = holder.metadata, clock.now()
        today, tomorrow = f"{now:{DAY}}", f"{now + timedelta(days=1):{DAY}}"  # servers' clocks differ
        if meta.labels.get(LAST_USED) in (today, tomorrow):
            return
        patch = {"metadata": {"uid": meta.uid, "labels": {LAST_USED: today}}}
        try:
            await registry.patch(kind, meta.namespace, meta.name, "merge", patch, Options(field_manager=MANAGER))
        except ApiError as error:
            log.warning("secret %s/%s: not noted that its token was used: %s", meta.namespace, meta.name, error)

    return note
