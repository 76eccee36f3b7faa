"""Specs of pods that break no rule, remembered: the pods of a template have one spec, and it is judged once.

They differ in the name of the volume that a pod's token lies in, which is drawn for each of them, so that name counts
as the same wherever it stands; and some in their hostname, of which a good one is as good as none. `pod_rules` is the
caller.
"""

import re
from collections import OrderedDict

import msgspec
from msgspec.structs import replace

from knarr.kinds.types.core_v1 import PodSpec
from knarr.meta.names import label_errors

KEPT = 256  #: specs
LARGEST = 16 * 1024  #: bytes of a spec that is remembered
NAMELESS = b"\0"  #: stands for the drawn name; JSON has no such byte
_drawn = re.compile("kube-api-access-[a-z0-9]{5}").fullmatch
_encoder = msgspec.json.Encoder()


class KnownSpecs:
    """The specs that passed last. One with an ephemeral volume is none of them: its pod's name matters too."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, outline: bytes) -> bool:
        return outline in self._known

    def add(self, outline: bytes) -> None:
        if outline:
            self._known[outline] = None
            if len(self._known) > KEPT:
                self._known.popitem(last=False)


def outline(spec: PodSpec) -> bytes:
    """What is equal for specs that break the same rules; b"" for one that is not to be remembered."""
    drawn = ""
    for volume in spec.volumes:
        if volume.ephemeral is not None:
            return b""
        if not drawn and _drawn(volume.name):
            drawn = volume.name
    if spec.hostname and not label_errors(spec.hostname):
        spec = replace(spec, hostname="")
    text = _encoder.encode(spec)
    if len(text) > LARGEST:
        return b""
    return text.replace(b'"%b"' % drawn.encode(), NAMELESS) if drawn else text
