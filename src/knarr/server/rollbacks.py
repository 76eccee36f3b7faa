"""The `/rollback` of a Deployment before apps/v1beta2: the request is kept in the object, the controller does it."""

from typing import Any

from knarr.kinds.kind import Kind, Tree
from knarr.kinds.old.workloads import ROLLBACK, with_note
from knarr.meta.errors import BadRequest
from knarr.meta.field import invalid, required
from knarr.registry.core import Options
from knarr.registry.entry import Entry
from knarr.registry.modify import TRIES, modify
from knarr.registry.registry import Registry


async def roll_back(registry: Registry, kind: Kind, namespace: str, name: str, asked: Tree, options: Options) -> Tree:
    """Ask a Deployment of the stored `kind` to go back to a revision, 0 for the one before; the answer is a Status."""
    named = asked.get("name", "")
    if not named:
        raise invalid("DeploymentRollback", kind.group, "", [required("name", "name is required")])
    if named != name:
        raise BadRequest(f"name in URL does not match name in DeploymentRollback object: {name}, {named}")
    revision = str((asked.get("rollbackTo") or {}).get("revision", 0))
    notes: dict[str, Any] = asked.get("updatedAnnotations") or {}

    def change(old: Entry, before: Tree) -> Tree:
        tree = old.tree()
        del tree["metadata"]["resourceVersion"]
        for key, value in notes.items():
            with_note(tree, key, value)
        return with_note(tree, ROLLBACK, revision)

    await modify(registry, kind, namespace, name, change, options, tries=TRIES)
    message = f'rollback request for deployment "{name}" succeeded'
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "message": message, "code": 200}
