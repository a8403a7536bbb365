"""The page in Chromium: its size, first paint, load, the processor time of its renderer, and how long a hover takes.

Made-up races of the shape of the default one (297 lanes) and of 429 and 1023 lanes, opened from disk, one context each, rounds
interleaved. Medians with the range over rounds; the renderer's own time is disturbed least by other work on the machine.
"""

from __future__ import annotations

import os
import runpy
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from slalom.figures import build_race
from slalom.report import render, render_playground

ROUNDS = 5
FAKE = Path(__file__).parents[1] / "tests" / "report" / "fake_race.py"
TIMES = """(() => {
  const load = performance.getEntriesByType("navigation")[0], named = (n) => performance.getEntriesByName(n)[0]?.startTime ?? NaN;
  return [named("first-contentful-paint"), load.loadEventEnd, named("slalom-ready")];
})()"""
HOVER = """(() => {
  const over = document.querySelector("#curves .u-over"), box = over?.getBoundingClientRect(), times = [];
  for (let k = 0; over && k < 40; k++) {
    const begin = performance.now(), at = { clientX: box.left + 20 * k + 30, clientY: box.top + 200 + 3 * k };
    over.dispatchEvent(new MouseEvent("mousemove", { ...at, bubbles: true }));
    times.push(performance.now() - begin);
  }
  return times.sort((a, b) => a - b)[20] ?? NaN;
})()"""
COLUMNS = ("first paint", "load event", "all drawn", "hover", "renderer's own time")


def main() -> None:
    """Prints the table; needs playwright and Chromium (`SLALOM_CHROMIUM`, or /usr/bin/chromium)."""
    from playwright.sync_api import sync_playwright

    fake = runpy.run_path(str(FAKE))["fake_race"]
    pages = {f"{33 * lrs} lanes": render(build_race(fake(lrs=lrs))) for lrs in (9, 13, 31)}
    pages["playground"] = render_playground()
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in pages}
    program = os.environ.get("SLALOM_CHROMIUM", "/usr/bin/chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        session = browser.new_browser_cdp_session()
        for k in range(ROUNDS + 1):
            for name, text in pages.items():
                file = Path(folder) / "page.html"
                file.write_text(text, encoding="utf-8")
                once = _open(browser, session, file)
                if k:  # the first round warms up
                    found[name].append(once)
        browser.close()
    date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    print(f"{date}, {ROUNDS} rounds, load {os.getloadavg()[0]:.1f}; ms, median (range)")
    print(f"{'page':<14}{'KB':>6}" + "".join(f"{title:>24}" for title in COLUMNS))
    for name, rows in found.items():
        cells = [f"{statistics.median(v):.0f} ({min(v):.0f}..{max(v):.0f})" for v in zip(*rows, strict=True)]
        print(f"{name:<14}{len(pages[name].encode()) / 1000:>6.0f}" + "".join(f"{cell:>24}" for cell in cells))


def _open(browser: Any, session: Any, file: Path) -> tuple[float, ...]:
    context = browser.new_context(viewport={"width": 1400, "height": 900}, offline=True)
    page = context.new_page()
    page.goto(file.as_uri())
    while not page.evaluate("document.documentElement.dataset.ready === 'yes'"):
        page.wait_for_timeout(20)
    first, load, ready = page.evaluate(TIMES)
    told = session.send("SystemInfo.getProcessInfo")["processInfo"]
    own = max(1e3 * one["cpuTime"] for one in told if one["type"] == "renderer")
    hover = page.evaluate(HOVER)
    context.close()
    return first, load, ready, hover, own
