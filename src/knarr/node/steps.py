"""What a pod's worker can do next, as data: `pod.plan` decides, `worker.Worker` carries out.

`str(step)` is the log line and what tests compare.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prepare:
    """Mount the volumes."""

    def __str__(self) -> str:
        return "prepare volumes"


@dataclass(frozen=True, slots=True)
class RunSandbox:
    attempt: int = 0

    def __str__(self) -> str:
        return f"run sandbox (attempt {self.attempt})" if self.attempt else "run sandbox"


@dataclass(frozen=True, slots=True)
class Start:
    name: str
    attempt: int = 0
    finished: float = 0.0  #: when the previous attempt ended: its back-off counts from there

    def __str__(self) -> str:
        return f"start {self.name} (attempt {self.attempt})" if self.attempt else f"start {self.name}"


@dataclass(frozen=True, slots=True)
class Stop:
    name: str
    id: str
    grace: float
    message: str  #: of the Killing event
    replaced: bool = False  #: it is started again, whatever the pod's policy

    def __str__(self) -> str:
        return f"stop {self.name} within {self.grace:g} s: {self.message}"


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove a dead attempt that no status mentions any more."""

    name: str
    id: str
    attempt: int

    def __str__(self) -> str:
        return f"forget {self.name} (attempt {self.attempt})"


@dataclass(frozen=True, slots=True)
class StopSandbox:
    def __str__(self) -> str:
        return "stop sandbox"


@dataclass(frozen=True, slots=True)
class TearDown:
    """Remove the sandbox and the pod's files."""

    def __str__(self) -> str:
        return "tear down"


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """The last word to the API: this pod has no process left."""

    def __str__(self) -> str:
        return "delete object"


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing to do for `name` ("" is the pod) before `until`; `reason` "" when it is not worth a status."""

    name: str
    until: float
    reason: str = ""
    message: str = ""

    def __str__(self) -> str:
        return f"hold {self.name or 'pod'} until {self.until:.12g}" + (f": {self.reason}" if self.reason else "")


Step = Prepare | RunSandbox | Start | Stop | Forget | StopSandbox | TearDown | DeleteObject | Hold
