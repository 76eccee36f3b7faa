"""What a user of kopf writes: an operator that gives every boat a ConfigMap of its own. For test_python_kopf.py."""

import kopf
from kr8s.asyncio.objects import ConfigMap

GROUP = "python.example.com"


def crew(name, spec):
    return {"metadata": {"name": f"{name}-crew"}, "data": {"size": str(spec["oars"])}}


@kopf.on.create(GROUP, "v1", "boats")
async def launch(body, spec, name, namespace, patch, **_):
    child = crew(name, spec)
    kopf.adopt(child)
    await (await ConfigMap(child, namespace=namespace)).create()
    patch.status["crew"] = f"{name}-crew"
    kopf.info(body, reason="Launched", message="it floats")


@kopf.on.update(GROUP, "v1", "boats", field="spec.oars")
async def hire(spec, name, namespace, **_):
    child = await ConfigMap.get(f"{name}-crew", namespace=namespace)
    await child.patch(crew(name, spec))


@kopf.on.delete(GROUP, "v1", "boats")
async def land(name, namespace, **_):
    await (await ConfigMap({"metadata": {"name": f"{name}-landed"}}, namespace=namespace)).create()
