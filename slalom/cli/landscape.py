"""`slalom landscape`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from slalom.cli.app import app, parsed


@app.command()
def landscape(
    surface: Annotated[
        str | None, typer.Argument(metavar="SURFACE", help="A name (--list), or package.module:f.", show_default="beale")
    ] = None,
    rules: Annotated[
        str | None, typer.Option(metavar="RULE,..", help="Such as sgd,adam,'adam(b1=0.5)'.", show_default="the classic seven")
    ] = None,
    lr: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[RULE=]LR,..", help="One for all, a band (.1,.01), or RULE=LR for each rule.", show_default="picked by hand"
        ),
    ] = None,
    tuned: Annotated[bool, typer.Option("--tuned", help="Each rule at the best of 29 rates, --steps each.")] = False,
    rotate: Annotated[float | None, typer.Option(metavar="DEGREES", help="Turn the surface; 45 tells the most.")] = None,
    start: Annotated[str | None, typer.Option(metavar="X,Y", help="Where all set out.", show_default="the surface's")] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Of every rule.", show_default="the surface's")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of a noisy surface's batches.", show_default="0")] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help=".png, .svg, .pdf still; .webp, .gif, .mp4 moving (needs matplotlib).")
    ] = None,
    frames: Annotated[int | None, typer.Option(metavar="N", help="Of a moving picture.", show_default="80")] = None,
    theme: Annotated[str | None, typer.Option(help="dark or light.", show_default="dark")] = None,
    json: Annotated[bool, typer.Option("--json", help="The paths as one JSON object.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the surfaces.")] = False,
) -> None:
    """Watch rules on a test surface: every path with its learning rate, drawn here, or saved as a picture."""
    from slalom.terminal import arguments

    if lr and tuned:
        raise typer.BadParameter("--lr and --tuned exclude each other")
    if save is None and (frames is not None or theme is not None):
        raise typer.BadParameter("--frames and --theme are of the picture that --save writes")
    given: dict[str, Any] = {
        "on": surface, "rules": parsed(arguments.rules, rules), "rotate": rotate, "start": parsed(arguments.point, start),
        "lr": "tuned" if tuned else parsed(arguments.rate_or_band, lr or None), "steps": steps, "seed": seed,
    }  # fmt: skip
    picture = {"frames": frames, "theme": theme}
    from slalom.terminal import landscape as shown

    if list_:
        shown.show_surfaces()
        return
    shown.show(
        {name: value for name, value in given.items() if value is not None}, save,
        {name: value for name, value in picture.items() if value is not None}, json=json,
    )  # fmt: skip
