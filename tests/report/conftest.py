"""Results, pages and a browser that the tests of the page share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from slalom.figures import RaceFigure, build_race
from slalom.report import render


@pytest.fixture(scope="session")
def race(fake: ModuleType) -> Any:
    return fake.fake_race()


@pytest.fixture(scope="session")
def figure(race: Any) -> RaceFigure:
    return build_race(race)


@pytest.fixture(scope="session")
def page(figure: RaceFigure) -> str:
    return render(figure)


@pytest.fixture(scope="session")
def hostile_page(fake: ModuleType) -> str:
    return render(build_race(fake.fake_race(hostile=True)))


class Opened:
    """A page in the browser, with everything that it said and asked for."""

    def __init__(self, context: Any, address: str) -> None:
        self.console: list[str] = []
        self.requests: list[str] = []
        self.page = context.new_page()
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)
        for _ in range(400):  # what can wait is drawn after the first paint; a page that fails says so
            if self.console or self.page.evaluate("document.documentElement.dataset.ready === 'yes' || !document.scripts.length"):
                break
            self.page.wait_for_timeout(10)
        self.requests = [url for url in self.requests if url not in (address, address.partition("#")[0])]

    def until(self, condition: str) -> None:
        """Wait until an expression is true. Playwright's own way evaluates text in the page, which the policy forbids."""
        for _ in range(400):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(25)
        raise AssertionError(f"never came true: {condition}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)


@pytest.fixture(scope="session")
def opened(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Opened]]:
    """`opened(text, width=1400, dark=False, at="")`: the page's text as a file in a browser that has no network."""
    contexts: list[Any] = []

    def open_page(text: str, width: int = 1400, dark: bool = False, at: str = "") -> Opened:
        while contexts:  # one page at a time: the browser is shared by the whole session
            contexts.pop().close()
        scheme = "dark" if dark else "light"
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True))
        file = tmp_path_factory.mktemp("browser") / "page.html"
        file.write_text(text, encoding="utf-8")
        return Opened(contexts[-1], file.as_uri() + at)

    yield open_page
    while contexts:
        contexts.pop().close()


@pytest.fixture(scope="session")
def browse(opened: Callable[..., Opened]) -> Callable[[str], tuple[str, str]]:
    """Opens a page's text in a real browser; returns the document as it stands after the scripts, and the console."""

    def open_page(text: str) -> tuple[str, str]:
        made = opened(text)
        return str(made.content()), "\n".join(made.console)

    return open_page
