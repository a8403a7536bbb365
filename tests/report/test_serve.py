"""The live page: who may see it, what its stream says, and how it outlives a reload, a restart and the race's end."""

from __future__ import annotations

import html
import http.client
import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import slalom
from slalom.core.errors import StoreError
from slalom.race.events import EpochDone
from slalom.report.serve import HOST, Server

EPOCHS = 4


class Enough(Exception):
    """Stops a race from within."""


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A run directory of a race that was stopped after its second epoch."""

    def stop(event: Any) -> None:
        if isinstance(event, EpochDone) and event.epoch == 3:
            raise Enough

    given = {"rules": ["sgd", "adam"], "lrs": [0.01, 0.1], "seeds": 2, "epochs": EPOCHS}
    with pytest.raises(Enough):
        slalom.race("mlp:4:relu", "iris", **given, directory=tmp_path / "run", on_event=stop)
    return tmp_path / "run"


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    wire = http.client.HTTPConnection(HOST, server.port, timeout=20)
    wire.request(method, path, headers=headers)
    return wire.getresponse()


def events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, int, Any]]:
    """Name, id and data of each event of a stream; comments are passed over."""
    lines: dict[str, str] = {}
    for raw in answer:
        line = raw.decode().rstrip("\n")
        if line and not line.startswith(":"):
            key, _, value = line.partition(": ")
            lines[key] = value
        elif "event" in lines:
            yield lines["event"], int(lines["id"]), json.loads(lines["data"])
            lines = {}


def test_only_who_knows_the_token_and_names_this_machine_is_answered(stopped: Path) -> None:
    with Server(stopped) as server:
        good, here = f"/?token={server.token}", f"{HOST}:{server.port}"
        assert server.url == f"http://{here}{good}"
        assert len(server.token) >= 30
        assert ask(server, good).status == 200
        assert ask(server, good, Host=f"localhost:{server.port}").status == 200
        for path, host in (
            ("/", here), ("/?token=", here), (f"/?token={server.token[:-1]}", here), ("/events?token=x", here),
            ("/?token=%ff", here),
            (good, "evil.example"), (good, f"evil.example:{server.port}"), (good, HOST),
        ):  # fmt: skip
            answer = ask(server, path, Host=host)
            assert answer.status == 403, (path, host)
            assert server.token not in answer.read().decode()
        assert ask(server, f"/other?token={server.token}").status == 404
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert ask(server, good, method).status == 405, method
        head = ask(server, good, "HEAD")
        assert (head.status, head.read()) == (200, b"")
        assert head.getheader("Cache-Control") == "no-store"
        assert head.getheader("X-Frame-Options") == "DENY"
    other = Server(stopped)
    assert other.token != server.token
    other.close()


def test_it_listens_to_this_machine_alone_and_says_what_is_wrong(stopped: Path, tmp_path: Path) -> None:
    with Server(stopped) as server:
        assert server._http.server_address[0] == "127.0.0.1"
        with pytest.raises(StoreError, match=f"cannot listen on 127.0.0.1:{server.port}"):
            Server(stopped, server.port)
    with pytest.raises(StoreError, match="is not a run directory"):
        Server(tmp_path / "nothing")


def test_the_stream_follows_the_race_to_its_end_and_goes_on_after_a_break(stopped: Path) -> None:
    with Server(stopped) as server:
        stream = events(ask(server, f"/events?token={server.token}"))
        name, first, data = next(stream)
        assert (name, data["live"]["epoch"], data["live"]["ended"]) == ("race", 2, False)
        assert data["curves"]["val_epochs"] == [1, 2, 3]  # the third had ended, and was not yet written down
        assert set(data["lanes"]["status"]["values"]) == {"unfinished"}
        assert data["rows"][0]["test_metric"] is None
        result = slalom.resume(stopped)
        for name, last, data in stream:
            assert name == "race"
            assert last > first
            if data["live"]["ended"]:
                break
        assert data["rows"][0]["test_metric"] == pytest.approx(result.leaderboard()[0].test_metric, rel=1e-5)
        assert data["live"]["done"] == len(result.lanes)
        again = events(ask(server, f"/events?token={server.token}", **{"Last-Event-ID": str(first)}))
        assert next(again)[1] == last  # what was missed is made up for
        known = events(ask(server, f"/events?token={server.token}", **{"Last-Event-ID": str(last)}))
        server.close()
        assert [name for name, _, _ in known] == ["race", "bye"]  # closing reads a last time; nothing old came before
        assert [name for name, _, _ in stream][-1] == "bye"


def test_a_page_in_the_browser_streams_reconnects_and_survives(chromium: Any, stopped: Path) -> None:
    context = chromium.new_context()
    page, console, asked = context.new_page(), [], []
    page.on("console", lambda message: console.append(message.text))
    page.on("pageerror", lambda error: console.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))

    def until(condition: str) -> None:
        for _ in range(600):
            if page.evaluate(condition):
                return
            page.wait_for_timeout(25)
        raise AssertionError(f"never came true: {condition}; {page.locator('#live').inner_text()}")

    state = "document.getElementById('live').dataset.state"
    first = Server(stopped).__enter__()
    page.goto(first.url)
    until(f"{state} === 'live'")
    assert "Epoch 2 of 4" in page.locator("#live").inner_text()
    assert page.locator("#leaderboard tbody tr").count() == 2
    page.locator("#leaderboard tbody tr").first.click()  # pinned: it must outlive new data
    assert console == []
    first.close()
    until(f"{state} === 'ended'")
    first, broken = Server(stopped, first.port, first.token), threading.Event()
    real = first.events
    first.events = lambda seen: itertools.takewhile(lambda _: not broken.is_set(), real(seen))  # type: ignore[method-assign]
    first.__enter__()
    page.reload()
    until(f"{state} === 'live'")
    page.locator("#leaderboard tbody tr").first.click()
    broken.set()
    first.close()  # the stream breaks without goodbye
    until(f"{state} === 'lost'")
    del asked[:]
    with Server(stopped, first.port, first.token) as second:
        slalom.resume(stopped)
        until(f"{state} === 'ended'")
        assert "The race has ended, 8 lanes of 8 done" in page.locator("#live").inner_text()
        assert page.evaluate("slalom.data.curves.val_epochs.length") == EPOCHS
        assert page.evaluate("slalom.data.lanes.status.every((s) => s === 'finished')")
        assert page.locator('#leaderboard tr[aria-selected="true"]').count() == 1
        assert page.locator("#leaderboard td.test").first.inner_text() != "–"
        page.reload()
        until("document.documentElement.dataset.ready === 'yes'")
        assert "The race has ended" in page.locator("#live").inner_text()
        assert all(url.startswith(second.url.partition("?")[0]) for url in asked)
    context.close()


def test_a_page_that_is_a_file_has_no_stream(page: str) -> None:
    assert "EventSource" not in page
    assert "connect-src 'none'" in html.unescape(page)


def test_waiting_for_the_last_page_ends_when_there_is_none(stopped: Path) -> None:
    with Server(stopped) as server:
        stream = events(ask(server, f"/events?token={server.token}"))
        next(stream)
        assert server.watched == 1
        waiting = threading.Thread(target=server.wait_until_alone, kwargs={"grace": 0.01}, daemon=True)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        server.close()
        waiting.join(20)
        assert not waiting.is_alive()
        assert server.watched == 0
