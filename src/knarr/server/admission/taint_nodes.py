"""A new node takes no pods until it is known to be ready: it is born with the taint that says so.

The node life cycle controller takes the taint away. A node that is created Ready, as knarr's own agents create theirs,
is born without, so a cluster that runs no such controller can use it, and a start need not wait for one.
"""

from knarr.server.admission import Admission, State, items, part

TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class TaintNodesByCondition:
    async def admit(self, admission: Admission, state: State) -> None:
        if not admission.is_("Node", "create"):
            return
        conditions = items(part(admission.tree, "status"), "conditions")
        if any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions):
            return
        spec = part(admission.tree, "spec")
        taints = spec.get("taints") or []
        if isinstance(taints, list) and not any(TAINT.items() <= t.items() for t in items(spec, "taints")):
            spec["taints"] = [*taints, dict(TAINT)]
