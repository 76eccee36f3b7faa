"""What `/version` says: which Kubernetes API this is, and that knarr serves it."""

import platform

import knarr

MAJOR, MINOR = "1", "37"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def version() -> dict[str, str]:
    """The answer of `/version`; `gitVersion` is a semantic version whose build part names knarr."""
    return {
        "major": MAJOR,
        "minor": MINOR,
        "emulationMajor": MAJOR,
        "emulationMinor": MINOR,
        "minCompatibilityMajor": MAJOR,
        "minCompatibilityMinor": "36",
        "gitVersion": f"{knarr.KUBERNETES_VERSION}+knarr.{knarr.__version__}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "",
        "goVersion": "",
        "compiler": platform.python_implementation(),
        "platform": f"linux/{MACHINES.get(platform.machine(), platform.machine())}",
    }
