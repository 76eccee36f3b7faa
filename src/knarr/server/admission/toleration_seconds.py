"""A pod that says nothing about it stays on a node for 300 seconds after the node became not ready or unreachable."""

from knarr.server.admission import Admission, State, items, part

SECONDS = 300
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"


class DefaultTolerationSeconds:
    async def admit(self, admission: Admission, state: State) -> None:
        if not admission.is_("Pod", "create", "update"):
            return
        spec = part(admission.tree, "spec")
        given = spec.get("tolerations") or []
        if not isinstance(given, list):
            return
        tolerations = items(spec, "tolerations")
        added = [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
            for key in (NOT_READY, UNREACHABLE)
            if not any(
                t.get("key") in (None, "", key) and t.get("effect") in (None, "", "NoExecute") for t in tolerations
            )
        ]
        if added:
            spec["tolerations"] = [*given, *added]
