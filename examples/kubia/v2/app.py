"""Kubia v2: a POST stores its body on this pod's volume, a GET reads it back."""

import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DATA = Path("/var/data/kubia.txt")


class Kubia(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        DATA.write_bytes(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        print("New data has been received and stored.", flush=True)
        self.answer(f"Data stored on {socket.gethostname()}\n")

    def do_GET(self) -> None:
        data = DATA.read_text() if DATA.exists() else "No data posted yet"
        self.answer(f"You've hit {socket.gethostname()}\nv2, Data stored on this Pod: {data}\n")

    def answer(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        print(self.client_address[0], self.requestline, code, file=sys.stderr, flush=True)


print("Kubia server starting...", flush=True)
ThreadingHTTPServer(("", 8080), Kubia).serve_forever()
