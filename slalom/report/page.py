"""A figure as one HTML file that asks nobody for anything: styles, scripts and data are all inside it.

Names that people give (rules, data, models, notes) reach the page in two ways only: through jinja2 with autoescape on,
and as JSON in a script tag that is never run, from which the page's own code sets text. A Content-Security-Policy
allows the inlined scripts and styles by their hashes and nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import functools
import hashlib
import os
import secrets
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from slalom.core.errors import StoreError
from slalom.figures.records import RaceFigure
from slalom.report.payload import payload, to_json

STYLES = ("uplot/uPlot.min.css", "page.css")
SCRIPTS = (
    "uplot/uPlot.iife.min.js", "js/base.js", "js/numbers.js", "js/ticks.js", "js/decode.js", "js/state.js",
    "js/palette.js", "js/theme.js", "js/scale.js", "js/plot.js", "js/strip.js", "js/leaderboard.js", "js/legend.js",
    "js/curves.js", "js/lr.js", "js/details.js", "js/download.js", "js/start.js",
)  # fmt: skip


def render(figure: RaceFigure) -> str:
    """The page of a race: the same figure gives the same text, byte for byte."""
    import jinja2
    from markupsafe import Markup

    styles, scripts = [asset(name) for name in STYLES], [asset(name) for name in SCRIPTS]
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(asset("page.html"))
    return template.render(
        policy=policy(scripts, styles),
        title=_encodable(figure.title),
        verdict=_encodable(figure.verdict),
        styles=[Markup(style) for style in styles],  # ours, from the package
        scripts=[Markup(script) for script in scripts],
        data=Markup(to_json(payload(figure))),  # escaped by to_json
    )


def write(figure: RaceFigure, path: str | os.PathLike[str]) -> Path:
    """Write the page to `path`, whole or not at all, and return the path; missing folders are made.

    Errors: `StoreError` where the place cannot be written.
    """
    target, text = Path(path), render(figure)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder; name a file in it, such as report.html")
        if target.exists() and not target.is_file():  # a device or a pipe: the rename below would put a file in its place
            raise OSError(errno.EINVAL, "it is no ordinary file; name one, such as report.html")
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StoreError(f"cannot write the page to {str(target)!r}: {error.strerror or error}") from error
    return target


def policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """The Content-Security-Policy: these scripts and styles, the empty icon, nothing else, no requests at all."""
    return (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@functools.cache
def asset(name: str) -> str:
    """A file of the page's assets, as text with Unix line ends (the browser hashes what it parsed).

    Our own lose their indentation and the lines that are only a comment; uPlot keeps its notice.
    """
    root = resources.files("slalom.report") / "assets"
    text = root.joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n").rstrip("\n")
    return text if name.startswith("uplot/") else _lean(text)


def _hashes(texts: Sequence[str]) -> str:
    digests = (hashlib.sha256(text.encode("utf-8")).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in digests)


def _lean(text: str) -> str:
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _encodable(text: str) -> str:
    """`text` with lone surrogates replaced, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
