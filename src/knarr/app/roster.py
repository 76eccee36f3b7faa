"""Which controllers a cluster runs."""

from collections.abc import Sequence

from knarr.app.pki import Pki
from knarr.controllers import endpoint_slice, endpoints, root_ca, serviceaccount, statefulset
from knarr.loop.runner import Controller


def controllers(pki: Pki) -> Sequence[Controller]:
    """All of them, each with what it needs to know of this cluster."""
    return (
        serviceaccount.CONTROLLER,
        root_ca.controller(pki.ca.read_text()),
        endpoints.CONTROLLER,
        endpoint_slice.controller(),
#        statefulset.controller(),
    )
