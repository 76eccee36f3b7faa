"""Images for containerd: those of the cluster's store are handed over on first use, others may be in it already.

What a store's image became is noted, so that it is written out once. An image over the host's own files cannot be
handed over: containerd has no such layer.
"""

import asyncio
import json
import shutil
import tempfile
from pathlib import Path

from knarr.node.images.name import normalised
from knarr.node.images.store import ImageConfig, ImageStore, StoredImage
from knarr.node.runtimes.containerd import messages as cri
from knarr.node.runtimes.containerd.client import Client
from knarr.node.runtimes.containerd.daemon import PAUSE_IMAGE, Place
from knarr.node.runtimes.containerd.export import write_archive
from knarr.node.runtimes.runtime import RuntimeFailure

PAUSE = ("/bin/busybox", "sh", "-c", "while :; do /bin/busybox sleep 1000000 & wait; done")  #: and reap orphans
SEEN_SECONDS, POLL = 60.0, 0.02  #: how long CRI may take to notice an import, and between looks


class Images:
    """The images of one node's containerd."""

    def __init__(self, place: Place, store: ImageStore, client: Client) -> None:
        self._place, self._store, self._client = place, store, client
        self._note = place.folder / "images.json"
        self._lock = asyncio.Lock()

    async def find(self, name: str) -> cri.Image | None:
        """The image of that name, handed over if need be; None when it is nowhere. RuntimeFailure when it can't be."""
        try:
            stored = await asyncio.to_thread(self._store.find, name)
        except ValueError as error:
            raise RuntimeFailure(str(error), reason="InvalidImageName") from error
        if stored is None:
            return await self._status(name)
        if stored.host:
            message = f'image "{name}" is built FROM host, which only the sandbox runtime can run'
            raise RuntimeFailure(message, reason="ErrImagePull")
        if image := await self._taken(stored):
            return image
        async with self._lock:
            return await self._taken(stored) or await self._take(stored)

    async def ls(self) -> list[cri.Image]:
        """Every image containerd has, the pods' own pause image apart."""
        answer = await self._client.ask("ListImages", cri.Empty(), cri.ListImagesResponse)
        return [image for image in answer.images if normalised(PAUSE_IMAGE) not in image.repo_tags]

    async def ensure_pause(self) -> None:
        """The image every pod's first container has, which holds its namespaces."""
        if await self._status(PAUSE_IMAGE) is None:
            with tempfile.TemporaryDirectory(dir=self._place.folder) as scratch:
                await asyncio.to_thread(_pause_layer, Path(scratch))
                await self._hand_over([Path(scratch)], ImageConfig(entrypoint=PAUSE), [normalised(PAUSE_IMAGE)])
            await self._wait_seen(PAUSE_IMAGE)

    async def _taken(self, stored: StoredImage) -> cri.Image | None:
        """The image as it was handed over, if it still has all its names."""
        known = (await asyncio.to_thread(self._read)).get(stored.id)
        there = await self._status(known) if known else None
        return there if there is not None and set(stored.names) <= set(there.repo_tags) else None

    async def _take(self, stored: StoredImage) -> cri.Image:
        layers = [self._store.layers / layer for layer in stored.layers]
        digest = await self._hand_over(layers, stored, list(stored.names))
        image = await self._wait_seen(stored.names[0] if stored.names else digest)
        await asyncio.to_thread(self._remember, stored.id, image.id)
        return image

    async def _hand_over(self, layers: list[Path], config: ImageConfig, names: list[str]) -> str:
        """Import an image; its digest."""
        with tempfile.NamedTemporaryFile(dir=self._place.folder, prefix="import-", suffix=".tar") as archive:
            digest = await asyncio.to_thread(write_archive, Path(archive.name), layers, config, names)
            process = await asyncio.create_subprocess_exec(
                *("ctr", "--address", str(self._place.socket), "--namespace", "k8s.io"),
                *("images", "import", archive.name),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            _, said = await process.communicate()
        if process.returncode:
            reason = said.decode(errors="replace").strip()
            raise RuntimeFailure(f"containerd does not take image {names[0]}: {reason}", reason="ErrImagePull")
        return digest

    async def _wait_seen(self, name: str) -> cri.Image:
        """CRI learns of an import a moment later."""
        for _ in range(int(SEEN_SECONDS / POLL)):
            if image := await self._status(name):
                return image
            await asyncio.sleep(POLL)
        raise RuntimeFailure(f"containerd does not show image {name} after its import")

    async def _status(self, name: str) -> cri.Image | None:
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=name))
        return (await self._client.ask("ImageStatus", request, cri.ImageStatusResponse)).image

    def _read(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self._note.read_bytes())
        except FileNotFoundError:
            return {}
        return found

    def _remember(self, stored: str, digest: str) -> None:
        draft = self._note.with_suffix(".new")
        draft.write_text(json.dumps({**self._read(), stored: digest}))
        draft.replace(self._note)


def _pause_layer(layer: Path) -> None:
    """A root with nothing but a static busybox."""
    binary = shutil.which("busybox")
    if binary is None:
        raise RuntimeFailure("busybox is missing: apt-get install busybox-static")
    layer.chmod(0o755)
    (layer / "bin").mkdir(mode=0o755)
    shutil.copy(binary, layer / "bin" / "busybox")
