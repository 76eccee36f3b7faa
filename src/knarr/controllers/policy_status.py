"""The status of ValidatingAdmissionPolicies: what a policy's expressions get wrong about the kinds that it names.

Worked out once for each version of it.
"""

from collections.abc import Iterator, Sequence

from knarr.kinds.types.admissionregistration_v1 import ValidatingAdmissionPolicy
from knarr.kinds.types.apiextensions_v1 import CustomResourceDefinition
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Patch, Step


def plan(policy: ValidatingAdmissionPolicy, definitions: Sequence[CustomResourceDefinition]) -> Iterator[Step]:
    """Say what was found, even if that is nothing: that it is there means that it was looked at."""
    generation = policy.metadata.generation or 0
    if generation <= (policy.status.observedGeneration or 0):
        return
    from knarr.kinds.policy_types import warnings  # CEL is loaded where there is a policy

    checked = {"expressionWarnings": warnings(policy, definitions) or None}
    status = {"observedGeneration": generation, "typeChecking": checked}
    yield Patch(policy, {"status": status}, subresource="status", reason="its expressions were checked")


async def sync(key: Key, context: Context) -> None:
    if (policy := context.cache(ValidatingAdmissionPolicy).get(key[1])) is not None:
        definitions = context.cache(CustomResourceDefinition).list()
        await carry_out(context.api, plan(policy, definitions), context.recorder)


CONTROLLER = Controller(
    name="validatingadmissionpolicy-status",
    sources=[Source(ValidatingAdmissionPolicy, itself), Source(CustomResourceDefinition)],
    sync=sync,
)
