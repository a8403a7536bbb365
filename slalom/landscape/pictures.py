"""What every record of this room can do: be drawn. The drawing itself is `slalom.figures`', attached by the package's face."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

from slalom.race import hooks


class Drawable:
    """A record with pictures: `.plot()`, `.save(path)`, and shown in notebooks as it is."""

    def plot(self, **options: Any) -> Any:
        """A still picture as a matplotlib Figure; needs `pip install 'slalom[plot]'`.

        `theme`: "dark" (default) or "light"; `size`: (width, height) in inches.
        """
        assert hooks.plot is not None
        return hooks.plot(self, **options)

    def save(self, path: Any, **options: Any) -> Any:
        """Write the picture; the ending says how: .png, .svg, .pdf still; .webp, .gif, .mp4 moving, where it moves.

        `frames`, `fps`: of moving pictures (80, 20); `theme`, `size` as `plot`. Nothing half-written is left behind.
        Errors: BadValueError for an unknown ending, MissingExtraError without matplotlib, or ffmpeg for .mp4.
        """
        assert hooks.save is not None
        return hooks.save(self, path, **options)

    def report(self, path: Any) -> Any:
        """Write the page that plays it: one self-contained HTML file; of landscapes, slices, runs in their plane and lines.

        Several results in one page: `slalom.report(a, b, path=...)`. Errors: StoreError, BadValueError for what has no page.
        """
        assert hooks.report is not None
        hooks.report(self, path)
        return Path(path)

    def _repr_html_(self) -> str | None:
        """For notebooks: the picture, with the record's own words below it as text."""
        picture = self._repr_png_()
        if picture is None:
            return None
        words = html.escape(str(self)) if type(self).__str__ is not object.__str__ else ""
        details = f"<details><summary>figures</summary><pre>{words}</pre></details>" if words else ""
        source = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
        return f'<img alt="{type(self).__name__}" src="{source}">{details}'

    def _repr_png_(self) -> bytes | None:
        """For notebooks; nothing where matplotlib is not installed, so that the text is shown."""
        from slalom.core.errors import MissingExtraError

        assert hooks.png is not None
        try:
            return hooks.png(self)
        except MissingExtraError:
            return None
