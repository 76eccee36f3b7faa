"""An API server small enough to read: objects in a dict, watches fed from a list. Enough for a node agent."""

import asyncio
import itertools
import json

from knarr.client.transport import Request, Response


def failure(code, reason, message):
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    return Response(code, {"content-type": "application/json"}, json.dumps(body | {"message": message}).encode())


def answer(tree, code=200):
    return Response(code, {"content-type": "application/json"}, json.dumps(tree).encode())


def merge(target, patch):
    if not isinstance(patch, dict) or not isinstance(target, dict):
        return patch
    out = dict(target)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value)
    return out


class FakeApi:
    """A transport whose server is itself."""

    def __init__(self):
        self.objects = {}
        self.changes = []
        self.revision = 0
        self.compacted = 0
        self.moved = asyncio.Condition()
        self.statuses = []  # every pod status written, in order
        self.uids = itertools.count(1)

    async def close(self):
        """Nothing is open."""

    async def put(self, path, tree, type_):
        self.revision += 1
        tree = merge(tree, {"metadata": {"resourceVersion": str(self.revision)}})
        if type_ == "DELETED":
            self.objects.pop(path, None)
        else:
            self.objects[path] = tree
        self.changes.append((self.revision, path, type_, tree))
        async with self.moved:
            self.moved.notify_all()
        return tree

    async def load(self, objects):
        """Go back to what a snapshot has, as a server does that was stopped meanwhile: its watches end."""
        self.revision += 1
        self.objects, self.changes, self.compacted = dict(objects), [], self.revision
        async with self.moved:
            self.moved.notify_all()

    def selected(self, request, tree):
        for term in request.parameter("fieldSelector").split(","):
            key, _, value = term.partition("=")
            if key == "spec.nodeName" and tree.get("spec", {}).get("nodeName") != value:
                return False
        return True

    async def send(self, request: Request) -> Response:
        parts = request.path.strip("/").split("/")
        start = parts.index("namespaces") + 2 if "namespaces" in parts else 2 if parts[0] == "api" else 3
        rest = parts[start:]
        named = len(rest) > 1
        status = len(rest) > 2 and rest[2] == "status"
        path = "/" + "/".join(parts[:-1] if status else parts)
        if request.method == "GET" and not named:
            return await self.collection(request, rest[0], path)
        current = self.objects.get(path)
        if request.method == "POST":
            tree = json.loads(request.body)
            path += "/" + tree["metadata"]["name"]
            if path in self.objects:
                return failure(409, "AlreadyExists", "already exists")
            tree["metadata"].setdefault("uid", f"uid-{next(self.uids)}")
            return answer(await self.put(path, tree, "ADDED"), 201)
        if current is None:
            return failure(404, "NotFound", f"{path} not found")
        if request.method == "GET":
            return answer(current)
        if request.method == "DELETE":
            wanted = json.loads(request.body or b"{}").get("preconditions", {})
            if any(current["metadata"][key] != value for key, value in wanted.items()):
                return failure(409, "Conflict", "the precondition does not hold")
            return answer(await self.put(path, current, "DELETED"))
        tree = json.loads(request.body)
        if request.method == "PATCH":
            return answer(await self.put(path, merge(current, tree), "MODIFIED"))
        if tree["metadata"].get("resourceVersion", "") not in ("", current["metadata"]["resourceVersion"]):
            return failure(409, "Conflict", "the object has been modified")
        if status:
            tree = current | {"status": tree.get("status", {})}
            if rest[0] == "pods":
                self.statuses.append(tree["status"])
        return answer(await self.put(path, tree, "MODIFIED"))

    async def collection(self, request, plural, path):
        items = [tree for key, tree in self.objects.items() if self.under(key, plural, path)]
        if request.parameter("watch"):
            if int(request.parameter("resourceVersion") or 0) < self.compacted:
                return failure(410, "Expired", "too old resource version")
            return Response(200, {}, stream=self.stream(request, plural, path))
        picked = [tree for tree in items if self.selected(request, tree)]
        return answer({"kind": "List", "metadata": {"resourceVersion": str(self.revision)}, "items": picked})

    def under(self, key, plural, path):
        return key.startswith(path + "/") or (f"/{plural}/" in key and "/namespaces/" not in path)

    async def stream(self, request, plural, path):
        seen = int(request.parameter("resourceVersion") or 0)
        while seen >= self.compacted:
            for revision, key, type_, tree in self.changes:
                if revision > seen and self.under(key, plural, path) and self.selected(request, tree):
                    yield json.dumps({"type": type_, "object": tree}).encode() + b"\n"
                seen = max(seen, revision)
            async with self.moved:
                if self.revision <= seen:
                    await self.moved.wait()
