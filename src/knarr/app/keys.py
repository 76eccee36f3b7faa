"""What the controllers hand out with the cluster's keys: certificates and tokens. They themselves hold none."""

from functools import partial

from knarr.controllers.roster import Keys
from knarr.server import signing
from knarr.server.authentication import legacy_tokens
from knarr.server.pki import Pki


def of(pki: Pki) -> Keys:
    """What may be handed out with the keys that lie there; it reads files."""
    return Keys(
        sign=signing.authority(pki).sign, token=partial(legacy_tokens.issue, pki.service_accounts.key.read_bytes())
    )
