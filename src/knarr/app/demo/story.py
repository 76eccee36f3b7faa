"""The demo's steps in order. Each says what it checks; the first broken promise ends the story."""

from collections.abc import Callable
from dataclasses import dataclass

from knarr.app.demo import acts
from knarr.app.demo.stage import Stage


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what the user reads, what is done, and whether it needs real processes."""

    title: str
    play: Callable[[Stage], str]
    processes: bool = False


STORY = (
    Step("images are built from a Dockerfile, without a daemon", acts.build_images, processes=True),
    Step("kubia-0, kubia-1 and kubia-2 come up one after the other", acts.create),
    Step("each pod has a claim and a volume of its own, bound", acts.volumes),
    Step("what is posted to kubia-1 is stored on kubia-1 alone", acts.post, processes=True),
    Step("a deleted kubia-1 comes back with its name, a new IP and its data", acts.delete_one),
    Step("DNS knows each pod by name, from outside and by short name inside a pod", acts.dns, processes=True),
    Step("scaling goes up in order and down in reverse, and the claims stay", acts.scale),
    Step("a rolling update goes from the last pod to the first, and keeps the data", acts.roll),
    Step("a partition holds back every pod below it", acts.canary),
    Step("a broken image stops the rollout; undo and deleting the broken pod recover it", acts.broken_image),
    Step("an orphaning delete leaves the pods, and a new set adopts them", acts.orphan_and_adopt),
    Step("a killed node agent neither loses nor doubles a pod", acts.kill_agent),
)
