"""Results, pages and a browser that the tests of the page share."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from slalom.figures import RaceFigure, build_race
from slalom.report import render

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr", "--v=0", "--window-size=1400,900",
)  # fmt: skip


def load_fake() -> ModuleType:
    """fake_race.py of this folder; the tests of the figures load it too."""
    name = "slalom_tests_fake_race"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("fake_race.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    return load_fake()


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


@pytest.fixture(scope="session")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[str, str]]:
    """Opens a page's text in a real browser; returns the document as it stands after the scripts, and the console."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("NO CHROMIUM FOUND: the page was not opened in a browser (Debian: apt-get install chromium)")

    def open_page(text: str) -> tuple[str, str]:
        folder = tmp_path_factory.mktemp("browser")
        file = folder / "page.html"
        file.write_text(text, encoding="utf-8")
        command = [
            browser,
            *QUIET,
            f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=3000",
            "--dump-dom",
            file.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=True)
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return done.stdout, "\n".join(console)

    return open_page
