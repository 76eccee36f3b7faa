"""This process as a user of a cluster: $KUBECONFIG, and what client libraries have made of it when they were imported.

`kubernetes` and `kubernetes_asyncio` read the variable once, at import, which in a test is long before there is a
cluster; what builds on them, as kopf does, is then led to another one.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

VARIABLE = "KUBECONFIG"
HELD = "KUBE_CONFIG_DEFAULT_LOCATION"  #: the name of what such a library keeps of it, in these modules
HOLDERS = tuple(
    f"{library}.{module}"
    for library in ("kubernetes", "kubernetes_asyncio")
    for module in ("config", "config.kube_config")
)


@contextmanager
def using(kubeconfig: Path) -> Iterator[None]:
    """Have every client that is given no kubeconfig of its own use this one."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, {VARIABLE: str(kubeconfig)}))
        for module in HOLDERS:
            if hasattr(loaded := sys.modules.get(module), HELD):
                stack.enter_context(mock.patch.object(loaded, HELD, str(kubeconfig)))
        yield
