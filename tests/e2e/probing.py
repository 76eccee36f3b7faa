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
    for family, everywhere in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
        serve_family(family, everywhere)
    threading.Event().wait()


def serve_family(family: socket.AddressFamily, everywhere: str) -> None:
    name = os.environ.get("NAME") or socket.gethostname()
    udp, tcp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_STREAM)
    for each in (udp, tcp):
        if family == socket.AF_INET6:
            each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind((everywhere, 8080))
    tcp.listen(64)

    def datagrams() -> None:
        while True:
            _, who = udp.recvfrom(2048)
            udp.sendto(f"{name} {who[0]}".encode(), who)

    def streams() -> None:
        while True:
            link, who = tcp.accept()
            with link:
                link.sendall(f"{name} {who[0]}".encode())

    for work in (datagrams, streams):
        threading.Thread(target=work, daemon=True).start()


def ask(protocol: str, host: str, port: int) -> str:
    """Who answers: "name address-of-the-client"; or "refused", or "nothing"."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as link:
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
