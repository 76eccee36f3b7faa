"""What every generated type is built from. Values stay as they are on the wire, so nothing is lost on a round trip."""

from msgspec import Struct

Time = str  #: RFC 3339 in UTC with whole seconds; "" when unset
MicroTime = str  #: RFC 3339 in UTC with six fractional digits; "" when unset
Quantity = str  #: a canonical quantity such as "1Gi"; "" when unset
IntOrString = int | str


class Type(Struct, frozen=True, omit_defaults=True, gc=False):
    """An API type: immutable; a field left at its default is not encoded."""
