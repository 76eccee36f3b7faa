"""What a pod's worker can do next, as data: `pod.plan` decides, `worker.Worker` carries out.

`str(step)` is the log line and what tests compare.
"""

from msgspec import Struct


class Prepare(Struct, frozen=True):
    """Mount the volumes."""

    def __str__(self) -> str:
        return "prepare volumes"


class RunSandbox(Struct, frozen=True):
    attempt: int = 0

    def __str__(self) -> str:
        return f"run sandbox (attempt {self.attempt})" if self.attempt else "run sandbox"


class Start(Struct, frozen=True):
    name: str
    attempt: int = 0
    finished: float = 0.0  #: when the previous attempt ended: its back-off counts from there

    def __str__(self) -> str:
        return f"start {self.name} (attempt {self.attempt})" if self.attempt else f"start {self.name}"


class Stop(Struct, frozen=True):
    name: str
    id: str
    grace: float
    message: str  #: of the Killing event
    replaced: bool = False  #: it is started again, whatever the pod's policy

    def __str__(self) -> str:
        return f"stop {self.name} within {self.grace:g} s: {self.message}"


class Forget(Struct, frozen=True):
    """Remove a dead attempt that no status mentions any more."""

    name: str
    id: str
    attempt: int

    def __str__(self) -> str:
        return f"forget {self.name} (attempt {self.attempt})"


class StopSandbox(Struct, frozen=True):
    def __str__(self) -> str:
        return "stop sandbox"


class TearDown(Struct, frozen=True):
    """Remove the sandbox and the pod's files."""

    def __str__(self) -> str:
        return "tear down"


class DeleteObject(Struct, frozen=True):
    """The last word to the API: this pod has no process left."""

    def __str__(self) -> str:
        return "delete object"


class Hold(Struct, frozen=True):
    """Nothing to do for `name` ("" is the pod) before `until`; `reason` "" when it is not worth a status."""

    name: str
    until: float
    reason: str = ""
    message: str = ""

    def __str__(self) -> str:
        return f"hold {self.name or 'pod'} until {self.until:.12g}" + (f": {self.reason}" if self.reason else "")


Step = Prepare | RunSandbox | Start | Stop | Forget | StopSandbox | TearDown | DeleteObject | Hold
