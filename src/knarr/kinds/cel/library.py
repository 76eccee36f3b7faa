"""All functions of CEL and of Kubernetes' libraries, loaded: one file for each library, `functions` has the table."""

from knarr.kinds.cel import (
    authorization,
    conversions,
    kubernetes,
    lists,
    operators,
    strings,
)
from knarr.kinds.cel.functions import MISSING, OVERLOADS, Overload, lookup

LIBRARIES = (operators, strings, conversions, lists, kubernetes, authorization)
#: what stands before a dot in names of functions
NAMESPACES = frozenset(name.partition(".")[0] for name in OVERLOADS if "." in name)

__all__ = ["LIBRARIES", "MISSING", "NAMESPACES", "OVERLOADS", "Overload", "lookup"]
