"""How many nodes of which runtime, as the command line says it: `5000`, or `sandbox=2,simulated=1000`. Pure."""

from knarr.app.config import RUNTIMES, ConfigError
from knarr.net.plan import SIMULATED_NODES

REAL_NODES = 200
MOST = {runtime: SIMULATED_NODES if runtime == "simulated" else REAL_NODES for runtime in RUNTIMES}


def wished(nodes: str | None, runtime: str | None) -> dict[str, int | str | None]:
    """The fields of `Wishes` that `--nodes` and `--runtime` give; ConfigError when they cannot be."""
    if nodes is None or "=" not in nodes:
        most = MOST[runtime] if runtime else max(MOST.values())
        return {"runtime": runtime, "nodes": None if nodes is None else number(nodes, "--nodes", most)}
    counts = by_runtime(nodes, "--nodes")
    real = [name for name in counts if name != "simulated"]
    if len(real) > 1:
        raise ConfigError(f"--nodes {nodes}: real nodes of one runtime only, not of {' and '.join(real)}")
    chosen = real[0] if real else "simulated"
    if runtime not in (None, chosen):
        raise ConfigError(f"--nodes {nodes} does not go with --runtime {runtime}")
    beside = {"simulated": counts.get("simulated", 0)} if real else {}
    return {"runtime": chosen, "nodes": counts[chosen], **beside}


def scaled(text: str) -> int:
    """How many simulated nodes are asked for, by `12` or `simulated=12`: real ones do not come and go by the number."""
    counts = by_runtime(text if "=" in text else f"simulated={text}", "scale")
    if set(counts) != {"simulated"}:
        raise ConfigError(f"scale {text}: only simulated nodes can be scaled")
    return counts["simulated"]


def by_runtime(text: str, what: str) -> dict[str, int]:
    """The numbers in `RUNTIME=N,...`; ConfigError on an unknown or repeated runtime, or a number that cannot be."""
    counts: dict[str, int] = {}
    for part in text.split(","):
        runtime, _, count = part.partition("=")
        if runtime not in MOST:
            raise ConfigError(f"{what} {text}: unknown runtime {runtime!r}; there are {', '.join(RUNTIMES)}")
        if runtime in counts:
            raise ConfigError(f"{what} {text}: {runtime} is there twice")
        counts[runtime] = number(count, f"{what} {runtime}", MOST[runtime])
    return counts


def number(text: str, what: str, most: int) -> int:
    """A number of nodes; ConfigError when it is none."""
    if not (text.isascii() and text.isdigit()) or int(text) > most:
        raise ConfigError(f"{what} {text!r}: must be a whole number from 0 to {most}")
    return int(text)
