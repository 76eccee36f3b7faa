"""The Pod Security Standards, as data: what pods of level baseline or restricted may not do, in upstream's words.

`violations` gives them in upstream's order: the baseline's, then those that restricted adds or puts in their place.
"""

from knarr.kinds.types.core_v1 import PodSpec
from knarr.server.admission.pod_security_baseline import BASELINE, LATEST
from knarr.server.admission.pod_security_restricted import RESTRICTED
from knarr.server.admission.pod_security_rules import Pod

__all__ = ["LATEST", "violations"]


def violations(level: str, minor: int, spec: PodSpec) -> list[tuple[str, str]]:
    """Which rules of a level a pod breaks, each with the details."""
    if level == "privileged":
        return []
    added = [check for check in RESTRICTED if minor >= check.since] if level == "restricted" else []
    replaced = {id_ for check in added for id_ in check.instead_of}
    checks = [c for c in BASELINE if minor >= c.since and c.id not in replaced] + added
    pod = Pod(spec, minor)
    return [found for check in checks if (found := check.look(pod)) is not None]
