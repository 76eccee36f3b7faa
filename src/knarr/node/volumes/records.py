"""What of a pod's volumes must be known again when the agent was restarted: `<pods>/<uid>/pod.json`. Blocking.

The object may be gone by then, and what the pod has alone must be nobody else's as long as it runs.
"""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "pod.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """Whose volumes they are, and the uids of the claims that nobody else may use meanwhile."""

    namespace: str = ""
    name: str = ""
    alone: tuple[str, ...] = ()


def save(folder: Path, record: Record) -> None:
    """Write the record of the pod whose folder this is: wholly or not at all."""
    draft = folder / f"{FILE}.new"
    draft.write_text(json.dumps(asdict(record)))
    draft.replace(folder / FILE)


def read(pods: Path, logs: Path) -> dict[str, Record]:
    """The pods that have files, by their uids. Of one that has no record no more is known than where its logs are."""
    found = {}
    for folder in logs.glob("*_*_*"):
        namespace, name, uid = folder.name.split("_", 2)
        found[uid] = Record(namespace, name)
    for folder in pods.glob("*/"):
        try:
            tree = json.loads((folder / FILE).read_bytes())
            found[folder.name] = Record(tree["namespace"], tree["name"], tuple(tree["alone"]))
        except FileNotFoundError:
            found.setdefault(folder.name, Record())
        except (ValueError, KeyError, TypeError) as error:
            log.warning("%s: not readable: %r", folder / FILE, error)
            found.setdefault(folder.name, Record())
    return found
