"""`python -m benchmarks NAME [options]`."""

import importlib
import sys

NAMES = ("api", "collection", "fixture", "footprint", "net", "rollout", "scale")


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        print(f"usage: python -m benchmarks {{{','.join(NAMES)}}} [--help]", file=sys.stderr)
        raise SystemExit(2)
    importlib.import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:])


main()
