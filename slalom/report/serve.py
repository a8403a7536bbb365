"""The race's page, live: served to this machine alone while the race runs, from its directory.

It listens on 127.0.0.1 and answers only who knows its token and asks for it under that name (a page elsewhere that was
given this address by its own name server is refused, whatever it knows). It answers GET and HEAD, of two paths, and
writes nothing. Events go out over one stream a page (server-sent events): `race`, all data, whenever the race has written
something and reading it again is cheap beside the race; `bye` at the end.
"""

from __future__ import annotations

import contextlib
import functools
import hmac
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from slalom.core.errors import SlalomError, StoreError
from slalom.report.live import read_now
from slalom.report.page import render_live
from slalom.report.payload import race_payload

HOST = "127.0.0.1"
LOOK = 0.1  # seconds between two looks at the directory
SHARE = 10  # the data are read again after so many times what the last reading took, and at the soonest ...
SOONEST = 0.5  # ... after so many seconds
QUIET = 10.0  # seconds after which a stream without news gets a comment, so that a lost one is noticed
MOST = 16  # streams at a time
GOODBYE = 2.0  # seconds that closing waits for the streams to end


class Server:
    """Serves a run directory: `with Server(directory) as server: print(server.url)`.

    `port=0` takes a free one. The race may run in this process or another, may not have begun its first epoch, may be resumed,
    and may end; the page then shows its result. `token`: for a server that takes another's place; a new one is drawn.
    Errors: `StoreError` for what is no run directory, or a port that is taken.
    """

    def __init__(self, directory: str | os.PathLike[str], port: int = 0, token: str | None = None) -> None:
        self.directory = Path(directory)
        self.token = token or secrets.token_urlsafe(24)
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._now = read_now(self.directory)  # says at once what is wrong with the directory
        self._version = 1
        self._streams = 0
        try:
            self._http = _Http((HOST, port), _handler(self))
        except OSError as error:
            raise StoreError(
                f"cannot listen on {HOST}:{port}: {error.strerror or error}; leave --port out for a free one"
            ) from error
        self._threads = [
            threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": LOOK}, daemon=True, name="slalom-watch"),
            threading.Thread(target=self._follow, daemon=True, name="slalom-follow"),
        ]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """The page's address, with the token that opens it."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    @property
    def watched(self) -> int:
        """How many pages are connected."""
        return self._streams

    @property
    def ended(self) -> bool:
        """Whether the race has ended, as far as was read."""
        return self._now.progress.ended

    def __enter__(self) -> Server:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def wait_until_alone(self, grace: float = 3.0) -> None:
        """Wait until no page has been connected for `grace` seconds (a reload takes a moment); Ctrl-C ends the wait."""
        with contextlib.suppress(KeyboardInterrupt):
            while not self._stop.is_set():
                with self._changed:
                    self._changed.wait_for(lambda: self._streams == 0, timeout=LOOK * 10)
                    alone = self._streams == 0 and not self._changed.wait_for(lambda: self._streams > 0, timeout=grace)
                if alone:
                    return

    def close(self) -> None:
        """Read the directory a last time, say goodbye to every page, and stop."""
        if self._stop.is_set():
            return
        with contextlib.suppress(SlalomError):
            self._read()
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._streams == 0, timeout=GOODBYE)
        if self._threads[0].is_alive():
            self._http.shutdown()
        self._http.server_close()

    # -- following the directory -----------------------------------------------------------------------------------

    def _follow(self) -> None:
        seen, cost, last = self._mark(), 0.0, time.monotonic()
        while not self._stop.wait(LOOK):
            due = last + max(SOONEST, SHARE * cost)
            if self._mark() == seen or time.monotonic() < due:
                continue
            seen, begin = self._mark(), time.monotonic()
            try:
                self._read()
            except SlalomError:  # caught between two of the race's writes: the next look will see both
                seen = ()
            last = time.monotonic()
            cost = last - begin

    def _mark(self) -> tuple[Any, ...]:
        """What changes when the race has written something."""
        made = []
        for name in ("journal.jsonl", "heats"):
            with contextlib.suppress(OSError):
                stat = (self.directory / name).stat()
                made.append((name, stat.st_mtime_ns, stat.st_size))
        return tuple(made)

    def _read(self) -> None:
        now = read_now(self.directory)
        with self._changed:
            self._now = now
            self._version += 1
            self._changed.notify_all()

    # -- what the handler asks for ---------------------------------------------------------------------------------

    def page(self) -> str:
        """The page as the race stands."""
        return render_live(self._now.figure, self._now.told)

    def events(self, seen: int) -> Iterator[str]:
        """Events after version `seen`, as they come; a comment where there is no news; `bye` at the end."""
        while True:
            with self._changed:
                self._changed.wait_for(functools.partial(self._news, seen), QUIET)
                now, version, stopped = self._now, self._version, self._stop.is_set()
            if version > seen:
                seen = version
                yield _event("race", version, {**race_payload(now.figure), "live": now.told})
            elif not stopped:
                yield ": still here\n\n"
            if stopped:
                yield _event("bye", version, {})
                return

    def _news(self, seen: int) -> bool:
        return self._version > seen or self._stop.is_set()

    @contextlib.contextmanager
    def stream(self) -> Iterator[bool]:
        """Counts a page in and out; False where there are too many."""
        with self._changed:
            room = self._streams < MOST
            self._streams += room
        try:
            yield room
        finally:
            with self._changed:
                self._streams -= room
                self._changed.notify_all()

    def admits(self, host: str | None, token: str) -> bool:
        """Whether a request names this server by its own name and knows the token."""
        named = host in (f"{HOST}:{self.port}", f"localhost:{self.port}")
        return named and hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())


def _event(name: str, version: int, data: Any) -> str:
    return f"id: {version}\nevent: {name}\ndata: {json.dumps(data, allow_nan=False, separators=(',', ':'))}\n\n"


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a browser may hold a connection open that it never uses


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"  # one answer a connection
        server_version, sys_version = "slalom", ""
        timeout = 30

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            token = parse_qs(asked.query).get("token", [""])[0]
            if not server.admits(self.headers.get("Host"), token):
                self._answer(403, "text/plain; charset=utf-8", "The address needs its token: open the one that slalom printed.\n")
            elif asked.path == "/":
                self._answer(200, "text/html; charset=utf-8", server.page())
            elif asked.path == "/events" and self.command == "GET":
                self._stream()
            else:
                self._answer(404, "text/plain; charset=utf-8", "There is the page, and its events.\n")

        do_HEAD = do_GET

        def _refuse(self) -> None:
            self._answer(405, "text/plain; charset=utf-8", "This server only shows.\n", Allow="GET, HEAD")

        do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _refuse

        def _answer(self, code: int, kind: str, text: str, **more: str) -> None:
            body = text.encode()
            self._head(code, kind, **{"Content-Length": str(len(body)), **more})
            if self.command != "HEAD":
                self.wfile.write(body)

        def _head(self, code: int, kind: str, **more: str) -> None:
            self.send_response(code)
            fixed = {
                "Content-Type": kind, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
                "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
            }  # fmt: skip
            for name, value in {**fixed, **more}.items():
                self.send_header(name, value)
            self.end_headers()

        def _stream(self) -> None:
            known = self.headers.get("Last-Event-ID", "0")
            with server.stream() as room:
                if not room:
                    self._answer(503, "text/plain; charset=utf-8", f"{MOST} pages are open already; close one.\n")
                    return
                self._head(200, "text/event-stream")
                with contextlib.suppress(OSError):  # the page was closed
                    self.wfile.write(b"retry: 1000\n\n")
                    for event in server.events(int(known) if known.isdecimal() else 0):
                        self.wfile.write(event.encode())
                        self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the token stands in the address."""

    return Handler
