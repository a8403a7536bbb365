"""A page as one HTML file that asks nobody for anything: styles, scripts and data are all inside it.

Names that people give (rules, data, models, notes) reach the page in two ways only: through jinja2 with autoescape on,
and as JSON in a script tag that is never run, from which the page's own code sets text. A Content-Security-Policy
allows the inlined scripts and styles by their hashes and nothing else.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import math
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from slalom.core import files
from slalom.core.errors import StoreError
from slalom.report.engine import engine_script
from slalom.report.payload import to_json

STYLES = ("uplot/uPlot.min.css", "page.css", "landscape.css")
ENGINE = "js/landscape/engine.js"  # printed from the rules, not a file


def document(
    template: str, scripts: Sequence[str], data: Any = None, *, connect: str = "'none'", styles: Sequence[str] = (), **fields: Any
) -> str:  # fmt: skip
    """The page that `template` (of the assets) makes of these scripts, this JSON-able data, and whatever else its fields are.

    `connect`: where its scripts may ask for more, for a page that is live. `styles`: besides those that every page has. The same
    input gives the same text, byte for byte; every text in it is escaped.
    """
    import jinja2
    from markupsafe import Markup

    sheets, texts = [asset(name) for name in (*STYLES, *styles)], [asset(name) for name in scripts]
    loader = jinja2.FunctionLoader(source)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, loader=loader, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    environment.filters["short"] = _short
    text = environment.get_template(template).render(
        policy=policy(texts, sheets, connect),
        styles=[Markup(sheet) for sheet in sheets],  # ours, from the package
        scripts=[Markup(script) for script in texts],
        data=Markup(to_json(data)),  # escaped by to_json
        **fields,
    )
    return text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates, which no file can hold


def _short(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "not finite"


def check_place(path: str | os.PathLike[str]) -> None:
    """StoreError where a page could not be written: for commands that end in one, before they begin."""
    try:
        files.check_place(Path(path))
    except OSError as error:
        raise StoreError(f"cannot write the page to {os.fspath(path)!r}: {error.strerror or error}") from error


def write_text(text: str, path: str | os.PathLike[str]) -> Path:
    """Write a page to `path`, whole or not at all, and return the path; missing folders are made.

    Errors: `StoreError` where the place cannot be written.
    """
    target = Path(path)
    check_place(target)
    try:
        files.write_whole(target, text)
    except OSError as error:
        raise StoreError(f"cannot write the page to {str(target)!r}: {error.strerror or error}") from error
    return target


def policy(scripts: Sequence[str], styles: Sequence[str], connect: str = "'none'") -> str:
    """The Content-Security-Policy: these scripts and styles, the empty icon, nothing else; requests to `connect` alone."""
    return (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)}; img-src data:; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'"
    )


@functools.cache
def asset(name: str) -> str:
    """A file of the page's assets, as text with Unix line ends (the browser hashes what it parsed).

    Our own lose their indentation and the lines that are only a comment; uPlot keeps its notice. `ENGINE` is printed.
    """
    if name == ENGINE:
        return engine_script()
    text = source(name).rstrip("\n")
    return text if name.startswith("uplot/") else _lean(text)


def source(name: str) -> str:
    """A file of the assets as it is, with Unix line ends."""
    root = resources.files("slalom.report") / "assets"
    return root.joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _hashes(texts: Sequence[str]) -> str:
    digests = (hashlib.sha256(text.encode("utf-8")).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in digests)


def _lean(text: str) -> str:
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line and not line.startswith("//"))
