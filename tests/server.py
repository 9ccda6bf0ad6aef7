"""A web server on loopback that serves files and misbehaves on request, for the tests of downloading."""

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Server:
    """What is served, and how.

    ``plan`` holds one misbehaviour for each of the next requests, as (kind, value):

    - ``("drop", n)``: promise the whole body and close the connection after n bytes;
    - ``("end", n)``: promise no length and end after n bytes;
    - ``("corrupt", n)``: change the byte at position n of the body;
    - ``("stall", (n, seconds))``: fall silent after n bytes;
    - ``("status", code)`` or ``("status", (code, headers))``: answer with an error.

    Requests after those are answered well. ``requests`` are the Range headers received (None without), with the time.
    """

    files: dict
    ranges: bool = True
    plan: list = field(default_factory=list)
    requests: list = field(default_factory=list)
    address: str = ""

    @property
    def asked(self):
        return [asked for asked, _ in self.requests]


@contextmanager
def serve(files, **options):
    """A running :class:`Server` for ``files`` (name -> bytes)."""
    server = Server(files, **options)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            server.requests.append((self.headers.get("Range"), time.monotonic()))
            kind, value = server.plan.pop(0) if server.plan else (None, None)
            if kind == "status":
                code, headers = value if isinstance(value, tuple) else (value, {})
                self.answer(code, {**headers, "Content-Length": 0})
                return
            body = server.files.get(self.path.removeprefix("/"))
            if body is None:
                self.answer(404, {"Content-Length": 0})
                return
            code, headers, total = 200, {}, len(body)
            if server.ranges and (asked := self.headers.get("Range")):
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
                if start >= total:
                    self.answer(416, {"Content-Range": f"bytes */{total}", "Content-Length": 0})
                    return
                body = body[start:]
                code, headers = 206, {"Content-Range": f"bytes {start}-{total - 1}/{total}"}
            if kind != "end":
                headers["Content-Length"] = len(body)
            self.answer(code, headers)
            if kind == "corrupt":
                body = body[:value] + bytes([body[value] ^ 1]) + body[value + 1 :]
            if kind in ("drop", "end"):
                body = body[:value]
            if kind == "stall":
                length, seconds = value
                self.wfile.write(body[:length])
                self.wfile.flush()
                time.sleep(seconds)
                body = body[length:]
            self.wfile.write(body)

        def answer(self, code, headers):
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, str(value))
            self.end_headers()

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass  # a client that has gone away

    httpd = Quiet(("127.0.0.1", 0), Handler)
    server.address = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
