"""What a service's address leads to, asked from anywhere: this file runs in pods, on nodes and on the host.

python3 probing.py serve         answers on TCP and UDP 8080 with its name and who asked
python3 probing.py ask '[["tcp", "10.96.0.20", 80, 3], ...]'    prints a JSON list with a list for each question
"""

import json
import os
import socket
import sys
import threading

TIMEOUT = 1.0


def serve() -> None:
    name = os.environ.get("NAME") or socket.gethostname()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("0.0.0.0", 8080))

    def datagrams() -> None:
        while True:
            _, who = udp.recvfrom(2048)
            udp.sendto(f"{name} {who[0]}".encode(), who)

    threading.Thread(target=datagrams, daemon=True).start()
    tcp = socket.create_server(("0.0.0.0", 8080), backlog=64)
    while True:
        link, who = tcp.accept()
        with link:
            link.sendall(f"{name} {who[0]}".encode())


def ask(protocol: str, host: str, port: int) -> str:
    """Who answers: "name address-of-the-client"; or "refused", or "nothing"."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    try:
        with socket.socket(socket.AF_INET, kind) as link:
            link.settimeout(TIMEOUT)
            link.connect((host, port))
            if protocol == "udp":
                link.send(b"?")
            return link.recv(2048).decode()
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "nothing"


def main() -> None:
    if sys.argv[1] == "serve":
        serve()
    questions = json.loads(sys.argv[2])
    print(json.dumps([[ask(kind, host, port) for _ in range(count)] for kind, host, port, count in questions]))


if __name__ == "__main__":
    main()
