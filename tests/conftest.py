"""Slalom comes first: it sets how MKL rounds before MKL is first called."""

import slalom  # noqa: F401, I001

import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys

import pytest
import torch

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture
def one_thread():
    """Lanes in one chunk, whatever the machine has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def emulated(tmp_path_factory):
    """The CUDA device that the processor plays: one a process, since its kernels find their runtime by its names."""
    from tests.engines.kernels.cuda.emulation import Emulated

    return Emulated(tmp_path_factory.mktemp("emulated"))


@pytest.fixture(scope="session")
def chromium():
    """One browser for the whole session, driven by playwright; what it needs is skipped, loudly, where there is none."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("NO CHROMIUM FOUND: the page was not opened in a browser (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def run_js(request, tmp_path_factory):
    """`run_js(source)`: what the last expression's JSON says; by node where there is one, else in the browser."""
    node = shutil.which("node")

    def by_node(source):
        file = tmp_path_factory.mktemp("js") / "run.js"
        file.write_text(source.replace("RESULT(", "console.log(JSON.stringify(") + ")")
        return json.loads(subprocess.run([node, file], capture_output=True, text=True, check=True, timeout=120).stdout)

    def by_browser(source):
        page = request.getfixturevalue("chromium").new_page()
        page.add_script_tag(content=source.replace("RESULT(", "window.result = ("))
        made = page.evaluate("window.result")
        page.close()
        return made

    return by_node if node else by_browser


@pytest.fixture(scope="session")
def fake():
    """tests/report/fake_race.py: races without a race, for figures and pages."""
    name = "slalom_tests_fake_race"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).parent / "report" / "fake_race.py")
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]
