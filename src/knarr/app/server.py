"""The server process: `python -m knarr.app.server --data-dir DIR --ready-fd N [--pki-fd N]`.

It says `ready` on the pipe that `knarr up` reads when its API answers, or `error: why`, and runs until TERM. `knarr up`
makes the certificates while this process loads, and says on the other pipe when they are there.
"""

import argparse
import gc
import logging
import os
import sys
from pathlib import Path

import uvloop

from knarr.app import config
from knarr.app.config import Cluster, ConfigError
from knarr.meta.errors import ApiError
from knarr.store.store import StoreError

LOG_FORMAT = "%(asctime)s %(levelname).1s %(name)s %(message)s"
log = logging.getLogger("knarr.app")


def main() -> None:
    parser = argparse.ArgumentParser(description="The server process of a cluster; knarr up starts it.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    parser.add_argument("--pki-fd", type=int, help="tells when the certificates are made; else they are made here")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=LOG_FORMAT)
    try:
        cluster = config.load(given.data_dir)
        if cluster is None:
            raise ConfigError(f"{given.data_dir} holds no cluster")
        gc.disable()  # what is loaded now stays: to look through it over and over takes a tenth of the start
        from knarr.app import parts

        if given.pki_fd is None:
            make_certificates(cluster)
        else:
            wait_for_certificates(given.pki_fd)
        uvloop.run(parts.serve(cluster, ready=lambda: say(given.ready_fd, "ready")))
    except (ConfigError, OSError, ApiError, StoreError) as error:
        log.exception("cannot start")
        say(given.ready_fd, f"error: {error}")
        sys.exit(1)


def make_certificates(cluster: Cluster) -> None:
    from knarr.app import certificates  # 30 ms of cryptography, which `knarr up` spares this process

    certificates.ensure_all(cluster)


def wait_for_certificates(descriptor: int) -> None:
    """Return when `knarr up` has said that they are made; ConfigError when it ends before."""
    said = os.read(descriptor, 1)
    os.close(descriptor)
    if not said:
        raise ConfigError("knarr up ended before the certificates were made")


def say(descriptor: int, word: str) -> None:
    """Tell `knarr up`; it may be gone already."""
    try:
        os.write(descriptor, f"{word}\n".encode())
        os.close(descriptor)
    except BrokenPipeError:
        log.info("nobody waits for this start any more")


if __name__ == "__main__":
    main()
