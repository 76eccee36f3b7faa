#!/usr/bin/env python3
"""nslookup as busybox 1.28.4 has it: through the C library's resolver, so with the pod's search list."""

import socket
import sys
from pathlib import Path

lines = Path("/etc/resolv.conf").read_text().splitlines()
server = next(line.split()[1] for line in lines if line.startswith("nameserver"))


def reverse(address: str) -> str:
    try:
        return " " + socket.gethostbyaddr(address)[0]
    except OSError:
        return ""


print(f"Server:    {server}\nAddress 1: {server}{reverse(server)}\n")
try:
    found = socket.getaddrinfo(sys.argv[1], None, socket.AF_INET, socket.SOCK_STREAM)
except OSError:
    sys.exit(f"nslookup: can't resolve '{sys.argv[1]}'")
print(f"Name:      {sys.argv[1]}")
for number, entry in enumerate(found, 1):
    print(f"Address {number}: {entry[4][0]}{reverse(entry[4][0])}")
