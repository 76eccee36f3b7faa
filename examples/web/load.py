"""Asks an address over and over, a new connection for each request, and counts what came back.

    python3 load.py HOST:PORT [CLIENTS]     until it is sent TERM

It prints who answered first, and in the end a line of JSON:

    {"good": N, "failed": {"what": N, ...}, "by": {"who answered": N, ...}}
"""

import collections
import http.client
import json
import signal
import sys
import threading
import time

PAUSE = 0.01  #: seconds between two requests of a client
ended = threading.Event()
failed: collections.Counter[str] = collections.Counter()
by: collections.Counter[str] = collections.Counter()
lock = threading.Lock()


def ask(place: str) -> str:
    """Who answers one request; OSError or HTTPException when nobody does."""
    connection = http.client.HTTPConnection(place, timeout=15)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise http.client.HTTPException(f"status {answer.status}")
        return " ".join(text.split()[:2])
    finally:
        connection.close()


def client(place: str) -> None:
    while not ended.is_set():
        try:
            who = ask(place)
        except (OSError, http.client.HTTPException) as error:
            with lock:
                failed[f"{type(error).__name__}: {error}"] += 1
        else:
            with lock:
                if not by:
                    print("answered by", who, flush=True)
                by[who] += 1
        time.sleep(PAUSE)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    place, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 4
    clients = [threading.Thread(target=client, args=(place,)) for _ in range(count)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    print(json.dumps({"good": by.total(), "failed": failed, "by": by}), flush=True)


main()
