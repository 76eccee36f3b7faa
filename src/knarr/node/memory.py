"""What the agent remembers about a pod and no one else knows: probe results, back-offs, why something waits.

It dies with the agent, as the kubelet's does: everything that must survive is in the runtime or the API.
`pod.plan` and `status.pod_status` read it; only the pod's worker and its probes write it.
"""

from msgspec import Struct

BACK_OFF_FIRST = 10.0  #: seconds; doubles with each crash
BACK_OFF_MOST = 300.0
BACK_OFF_FORGIVEN = 2 * BACK_OFF_MOST  #: a container that ran this long starts over


class BackOff(Struct, frozen=True):
    """How long to hold back after `since` (the crash or the failed pull)."""

    delay: float
    since: float

    def holds(self, failed: float, now: float) -> bool:
        """Whether what failed at `failed` still has to wait."""
        return failed - self.since <= BACK_OFF_FORGIVEN and failed + self.delay > now


def longer(previous: BackOff | None, since: float) -> BackOff:
    """The back-off after one more failure at `since`."""
    if previous is None or since - previous.since > BACK_OFF_FORGIVEN:
        return BackOff(BACK_OFF_FIRST, since)
    return BackOff(min(previous.delay * 2, BACK_OFF_MOST), since)


class Reason(Struct, frozen=True):
    """A machine's word and a sentence."""

    reason: str
    message: str = ""


class Retry(Struct, frozen=True):
    """A step that failed and when to try it again."""

    why: Reason
    at: float
    failed: float
    back_off: BackOff | None = None


class Unhealthy(Struct, frozen=True):
    """A container its liveness or startup probe condemned."""

    message: str
    grace: float | None = None


class Memory(Struct):
    """Container ids key what belongs to one attempt, container names what outlives it."""

    prepared: bool = False  #: volumes are mounted
    removed: bool = False  #: the object is gone from the API
    torn_down: bool = False  #: the sandbox and the pod's files are gone
    deleted: bool = False  #: the API was told that nothing of the pod is left
    ousted: bool = False  #: the object went while processes ran, and that was told
    behind: bool = False  #: another pod of the same name has something left on the node
    starting: bool = False  #: the runtime is being asked to start something, which it need not show yet
    stopped: bool = False  #: the runtime has ended the sandbox with all that ran in it, and nothing was started since
    admitted: bool = False  #: the node has looked whether it takes the pod
    refused: Reason | None = None  #: why it does not
    overdue: bool = False  #: that its time was up was told
    evicted: str = ""  #: why the pod has to go; "" while it has not
    measured: float = 0.0  #: when its directories were last looked at, in seconds since the epoch
    retries: dict[str, Retry] = {}  #: by container name; "" is the pod's sandbox or volumes
    crashes: dict[str, BackOff] = {}  #: by container name
    waiting: dict[str, Reason] = {}  #: by container name
    started: set[str] = set()  #: ids whose startup probe passed, or that have none
    ready: set[str] = set()  #: ids whose readiness probe passes, or that have none
    unhealthy: dict[str, Unhealthy] = {}  #: by id
    launched: dict[str, int] = {}  #: by container name: the latest attempt that was started
    last_words: dict[str, str] = {}  #: by id: the end of the log of a container that failed
    stopping: dict[str, float] = {}  #: id to the grace it was given
    replaced: set[str] = set()  #: ids of containers that were stopped for another image

    def start_over(self, name: str) -> None:
        """A container has another image: what went wrong with the one before does not hold it back."""
        self.retries.pop(name, None)
        self.crashes.pop(name, None)
