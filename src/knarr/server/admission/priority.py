"""A pod's priority is its class's value; without a class the default class's, or 0. One class may be the default.

The system's own classes stay.
"""

from collections.abc import Iterable

from knarr.kinds.priorityclass import SYSTEM
from knarr.kinds.types.scheduling_v1 import PriorityClass
from knarr.server.admission import Admission, State, Tree, part

GROUP = "scheduling.k8s.io"


class Priority:
    async def admit(self, admission: Admission, state: State) -> None:
        if admission.is_("Pod", "create"):
            await resolve(admission, state)
        elif admission.is_("Pod", "update") and admission.old is not None:
            _keep(part(admission.tree, "spec"), part(admission.old, "spec"))
        elif admission.is_("PriorityClass", "delete", group=GROUP) and admission.name in SYSTEM:
            raise admission.refuse("this is a system priority class and cannot be deleted")
        elif admission.is_("PriorityClass", "create", "update", group=GROUP) and admission.tree.get("globalDefault"):
            for other in await state.list(PriorityClass):
                if other.globalDefault and other.metadata.name != admission.name:
                    raise admission.refuse(
                        f"PriorityClass {other.metadata.name} is already marked as default. Only one default can exist"
                    )


async def resolve(admission: Admission, state: State) -> None:
    """Write priority and preemption policy into a new pod."""
    spec = part(admission.tree, "spec")
    name = spec.get("priorityClassName") or ""
    if name:
        found = await state.get(PriorityClass, "", name) if isinstance(name, str) else None
        if found is None:
            raise admission.refuse(f"no PriorityClass with name {name} was found")
    else:
        found = default_class(await state.list(PriorityClass))
        if found is not None:
            spec["priorityClassName"] = found.metadata.name
    value = (found.value or 0) if found else 0
    policy = (found.preemptionPolicy if found else "") or "PreemptLowerPriority"
    given = spec.get("priority")
    if given is not None and given != value:
        raise admission.refuse(
            f"the integer value of priority ({given}) must not be provided in pod spec; "
            f"priority admission controller computed {value} from the given PriorityClass name"
        )
    wanted = spec.get("preemptionPolicy")
    if wanted and wanted != policy:
        raise admission.refuse(
            f"the string value of PreemptionPolicy ({wanted}) must not be provided in pod spec; "
            f"priority admission controller computed {policy} from the given PriorityClass name"
        )
    spec["priority"], spec["preemptionPolicy"] = value, policy


def default_class(classes: Iterable[PriorityClass]) -> PriorityClass | None:
    """The class marked as default; the lowest one when there are several."""
    marked = [c for c in classes if c.globalDefault]
    return min(marked, key=lambda c: c.value or 0, default=None)


def _keep(new: Tree, old: Tree) -> None:
    """An update that leaves out the computed values keeps them."""
    for key in ("priority", "preemptionPolicy"):
        if new.get(key) is None and old.get(key) is not None:
            new[key] = old[key]
