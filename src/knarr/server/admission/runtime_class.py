"""A pod of a runtime class gets what its class adds to it: overhead, and where it may be scheduled."""

from knarr.kinds.types.node_v1 import RuntimeClass
from knarr.meta import quantity
from knarr.server.admission import Admission, State, Tree, items, part

FIELDS = ("key", "operator", "value", "effect", "tolerationSeconds")


class RuntimeClasses:
    async def admit(self, admission: Admission, state: State) -> None:
        if not admission.is_("Pod", "create"):
            return
        spec = part(admission.tree, "spec")
        name = spec.get("runtimeClassName")
        if not name:
            if spec.get("overhead"):
                raise admission.refuse(
                    "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
                )
            return
        class_ = await state.get(RuntimeClass, "", str(name))
        if class_ is None:
            raise admission.refuse(f'pod rejected: RuntimeClass "{name}" not found')
        self._overhead(admission, spec, class_)
        if class_.scheduling is not None:
            self._scheduling(admission, spec, class_)

    def _overhead(self, admission: Admission, spec: Tree, class_: RuntimeClass) -> None:
        wanted = class_.overhead.podFixed if class_.overhead else {}
        given = spec.get("overhead") or {}
        if given and _amounts(given) != _amounts(wanted):
            raise admission.refuse(
                "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
                if wanted
                else "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            )
        if wanted:
            spec["overhead"] = dict(wanted)

    def _scheduling(self, admission: Admission, spec: Tree, class_: RuntimeClass) -> None:
        assert class_.scheduling is not None, "only called for a class that says where"
        own = spec.get("nodeSelector") or {}
        for key, value in class_.scheduling.nodeSelector.items():
            if own.get(key, value) != value:
                text = f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                raise admission.refuse(f"{text}pod.spec.nodeSelector[{key}] = {own[key]}")
        if class_.scheduling.nodeSelector:
            spec["nodeSelector"] = {**own, **class_.scheduling.nodeSelector}
        tolerations = list(items(spec, "tolerations"))
        for toleration in class_.scheduling.tolerations:
            added = {key: value for key in FIELDS if (value := getattr(toleration, key)) not in ("", None)}
            if added not in tolerations:
                tolerations.append(added)
        if tolerations:
            spec["tolerations"] = tolerations


def _amounts(given: object) -> dict[str, int]:
    """Amounts to be compared; what is no quantity is left for the kind's rules to refuse."""
    found: dict[str, int] = {}
    for name, amount in given.items() if isinstance(given, dict) else ():
        try:
            found[name] = quantity.parse(str(amount)).nano
        except ValueError:
            found[name] = -1
    return found
