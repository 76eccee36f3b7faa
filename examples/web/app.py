"""A web front that says who answered, and ends as a server should: it finishes what it has begun, then goes."""

import os
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = os.environ.get("VERSION", "v1")


class Front(BaseHTTPRequestHandler):
    timeout = 5

    def do_GET(self) -> None:
        body = f"{socket.gethostname()} {VERSION} {self.client_address[0]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False  # requests that were begun are waited for
    request_queue_size = 128


server = Server(("", 8080), Front)
signal.signal(signal.SIGTERM, lambda number, frame: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
print("nothing left to do", flush=True)
