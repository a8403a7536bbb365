"""Pictures into files: whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from slalom.core.checks import whole
from slalom.core.errors import BadValueError, MissingExtraError, StoreError
from slalom.core.files import whole_path
from slalom.figures.pictures.landscape import frames_of
from slalom.figures.pictures.style import Theme

STILL = (".png", ".svg", ".pdf")
MOVING = (".webp", ".gif", ".mp4")
COLOURS = 160
LAST = 1500  # milliseconds that the last frame stays


def check(path: Path, frames: int | None, fps: int) -> str:
    """ "still" or "moving", by the ending; errors before anything is drawn."""
    ending = path.suffix.lower()
    if ending not in STILL + MOVING:
        raise BadValueError(f"cannot write {path.name!r}: the ending must be one of {', '.join(STILL + MOVING)}")
    for name, value, most in (("frames", frames, 2000), ("fps", fps, 60)):
        if value is not None:
            whole(value, name, 1, most)
    if ending == ".mp4" and shutil.which("ffmpeg") is None:
        raise MissingExtraError("writing .mp4 needs the program ffmpeg, which is not found; install it, or write .webp or .gif")
    if not path.parent.is_dir():
        raise StoreError(f"cannot write {path}: there is no folder {path.parent}")
    return "still" if ending in STILL else "moving"


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file beside the wanted one, put in its place when all went well."""
    try:
        with whole_path(path, ending=path.suffix) as made:
            yield made
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def write_still(scene: Any, path: Path) -> None:
    """The still picture, as its ending says."""
    figure = scene.still()
    with _whole(path) as made:
        if path.suffix.lower() in STILL:
            figure.savefig(made)
        else:
            _image(figure).save(made, quality=90)


def write_moving(scene: Any, path: Path, frames: int, fps: int) -> None:
    """The moving picture; the last frame stays for a moment."""
    shown = _frames(scene, frames_of(scene.length, frames))
    with _whole(path) as made:
        if path.suffix.lower() == ".mp4":
            _mp4(shown, made, fps)
            return
        # Few colours make both kinds small: measured on Beale, 100 frames of 860 x 520: webp 0.3 MB (0.7 lossy), gif 0.25.
        images = list(shown)
        palette = _palette(images[-1], scene.theme)
        images = [image.quantize(palette=palette, dither=0) for image in images]
        times = [round(1000 / fps)] * (len(images) - 1) + [LAST]
        more: dict[str, Any] = {"optimize": True, "disposal": 1}
        if path.suffix.lower() == ".webp":
            images = [image.convert("RGB") for image in images]
            more = {"lossless": True, "method": 2}
        images[0].save(made, save_all=True, append_images=images[1:], duration=times, loop=0, **more)


def _palette(image: Any, theme: Theme) -> Any:
    """The theme's own colours, pure and half way to the halo, which thin lines need; the rest as the picture has them most."""
    from PIL import Image, ImageColor

    halo = np.array(ImageColor.getrgb(theme.halo))
    pure = [np.array(ImageColor.getrgb(colour)) for colour in (*theme.rules, theme.ink, theme.soft)]
    own = [tuple(int(v) for v in colour) for c in pure for colour in (c, (c + halo) // 2)]
    counted = image.quantize(COLOURS - len(own)).getpalette()[: 3 * (COLOURS - len(own))]
    made = Image.new("P", (1, 1))
    made.putpalette([v for colour in own for v in colour] + counted)
    return made


def _frames(scene: Any, steps: Any) -> Iterator[Any]:
    """One image a step; what does not move is drawn once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    scene.build(moving=True)
    canvas: Any = FigureCanvasAgg(scene.figure)
    canvas.draw()
    ground = canvas.copy_from_bbox(scene.figure.bbox)
    for step in steps:
        canvas.restore_region(ground)
        scene.show(step)
        for artist in sorted(scene.artists, key=lambda a: a.get_zorder()):
            scene.figure.draw_artist(artist)
        yield _rgb(canvas)


def _image(figure: Any) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return _rgb(canvas)


def _rgb(canvas: Any) -> Any:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))


def _mp4(images: Iterator[Any], path: Path, fps: int) -> None:
    first = next(images)
    wide, high = first.width // 2 * 2, first.height // 2 * 2  # the codec wants even sizes
    command = [
        "ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{wide}x{high}", "-r", str(fps),
        "-i", "-", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path),
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as ffmpeg:
        assert ffmpeg.stdin is not None
        assert ffmpeg.stderr is not None
        with contextlib.suppress(BrokenPipeError):  # what went wrong is on its standard error
            image = first
            for image in (first, *images):
                ffmpeg.stdin.write(image.crop((0, 0, wide, high)).tobytes())
            for _ in range(fps * LAST // 1000):
                ffmpeg.stdin.write(image.crop((0, 0, wide, high)).tobytes())
            ffmpeg.stdin.close()
        said = ffmpeg.stderr.read().decode(errors="replace").strip()
    if ffmpeg.returncode:
        raise StoreError(f"ffmpeg could not write {path.name}: {said}")
