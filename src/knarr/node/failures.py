"""Steps that failed: what a pod's worker remembers and tells of them, and when it tries them again."""

import logging
from typing import TYPE_CHECKING

from knarr.client.transport import TransportError
from knarr.meta import clock
from knarr.meta.errors import ApiError
from knarr.node.memory import Reason, Retry, longer
from knarr.node.pod import everyone, title
from knarr.node.runtimes.runtime import NotStarted, RuntimeFailure
from knarr.node.steps import Prepare, RunSandbox, Start, Step, StopSandbox, TearDown

if TYPE_CHECKING:
    from knarr.node.worker import Worker

log = logging.getLogger(__name__)

RETRY = 2.0  #: seconds before something is tried again that may heal by itself: a ConfigMap, a sandbox
LONGEST = 15.0  #: seconds that it is waited for at most; each failure doubles the pause
LONGEST_OF_ENDS = 120.0  #: the same for what ends a pod: upstream's for volumes
CRASHED = ("PostStartHookError",)  #: the container ran and is gone: its crashes hold it back
BACKED_OFF = ("ErrImagePull", "RunContainerError", "CreateContainerError", "ErrImageNeverPull")
TOLD = ("ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "PostStartHookError")  #: whoever failed told of it


def remember(worker: "Worker", step: Step, error: Exception) -> None:
    """Remember what went wrong, say it, and when to try again."""
    now, message = clock.unix(), getattr(error, "message", "") or str(error)
    log.warning("%s: %s: %s", title(worker.pod), step, message)
    if isinstance(step, Start):
        started_not(worker, step, error, message, now)
        return
    old = worker.memory.retries.get("")
    longest = LONGEST if isinstance(step, Prepare | RunSandbox) else LONGEST_OF_ENDS
    worker.memory.retries[""] = Retry(Reason("", message), now + pause(old, error, longest), now)
    if isinstance(step, Prepare):
        worker.tell("Warning", "FailedMount", message)
    elif isinstance(step, RunSandbox):
        worker.tell("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {message}")
    elif isinstance(step, StopSandbox | TearDown):
        worker.tell("Warning", "FailedKillPod", f"error killing pod: {message}")


def started_not(worker: "Worker", step: Start, error: Exception, message: str, now: float) -> None:
    reason = error.reason if isinstance(error, RuntimeFailure) else "CreateContainerConfigError"
    old = worker.memory.retries.get(step.name)
    if reason not in TOLD:
        worker.tell("Warning", "Failed", f"Error: {message}", everyone(worker.pod)[step.name])
    if isinstance(error, NotStarted) or reason in CRASHED:
        retry = Retry(Reason(reason, message), now + RETRY, now)
    elif reason in BACKED_OFF:
        back_off = longer(old.back_off if old else None, now)
        retry = Retry(Reason(reason, message), now + back_off.delay, now, back_off)
    else:
        retry = Retry(Reason(reason, message), now + pause(old, error), now)
    worker.memory.retries[step.name] = retry


def pause(old: Retry | None, error: Exception, longest: float = LONGEST) -> float:
    """Seconds until the next try, after the last failure if there was one. Who did not answer is asked again soon."""
    if old is None or isinstance(error, ApiError | TransportError):
        return RETRY
    return min(2 * (old.at - old.failed), longest)
