"""The group system:masters may do everything, whatever the roles say."""

from knarr.server.authorization import Attributes
from knarr.server.identity import MASTERS


class Masters:
    async def allows(self, attributes: Attributes) -> tuple[bool, str]:
        return MASTERS in attributes.user.groups, ""
