"""`slalom landscape`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from slalom.cli import options
from slalom.cli.app import app, parsed


@app.command(
    cls=options.sections(rules="On a surface", save="A picture or page", run="A network's loss instead", still="On the terminal"),
    short_help="Watch rules on a test surface, or a network's loss.",
)
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
        Path | None,
        typer.Option(metavar="FILE", help=".html the page that plays it; .png, .svg, .pdf still; .webp, .gif, .mp4 moving."),
    ] = None,
    frames: Annotated[int | None, typer.Option(metavar="N", help="Of a moving picture.", show_default="80")] = None,
    theme: Annotated[str | None, typer.Option(help="dark or light.", show_default="dark")] = None,
    run: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The loss around a race's network instead, and how sharp it is.")
    ] = None,
    lane: Annotated[int | None, typer.Option(metavar="N", help="Of --run.", show_default="the leader's best")] = None,
    to: Annotated[int | None, typer.Option(metavar="N", help="The line from --lane to this one instead.")] = None,
    train: Annotated[
        str | None, typer.Option(metavar="DATA", help="Train by --rules on DATA instead, and draw the runs in their plane.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="SPEC", help="Of --train.", show_default="an MLP sized to it")] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Of --train.", show_default="20")] = None,
    points: Annotated[int | None, typer.Option(metavar="N", help="A side, of --run and --train.", show_default="51")] = None,
    still: Annotated[bool, typer.Option("--still", help="Draw it once; a terminal plays it otherwise.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The paths as one JSON object.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the surfaces and the teaching pictures.")] = False,
    teach: Annotated[
        str | None, typer.Option(metavar="NAME", help="Write the teaching picture of that name to --save; --list names them.")
    ] = None,
) -> None:
    """Watch rules on a test surface: every path with its learning rate, drawn here, or saved as a picture."""
    from slalom.terminal.typed import arguments

    if lr and tuned:
        raise typer.BadParameter("--lr and --tuned exclude each other")
    if save is None and (frames is not None or theme is not None):
        raise typer.BadParameter("--frames and --theme are of the picture that --save writes")
    given: dict[str, Any] = {
        "on": surface, "rules": parsed(arguments.rules, rules), "rotate": rotate, "start": parsed(arguments.point, start),
        "lr": "tuned" if tuned else parsed(arguments.rate_or_band, lr or None), "steps": steps, "seed": seed,
    }  # fmt: skip
    drawn = {name: value for name, value in {"frames": frames, "theme": theme}.items() if value is not None}
    asked = {name: value for name, value in given.items() if value is not None}
    network: dict[str, Any] = {"lane": lane, "to": to, "model": model, "epochs": epochs, "points": points}
    network = {name: value for name, value in network.items() if value is not None}
    modes = [name for name, on in (("--list", list_), ("--teach", teach), ("--run", run), ("--train", train)) if on]
    if len(modes) > 1:
        raise typer.BadParameter(f"{' and '.join(modes)} exclude each other")
    _belong(
        modes[0] if modes else "a surface",
        {**asked, **network, **drawn, **{name: True for name, on in (("json", json), ("still", still)) if on}},
    )
    if teach is not None and save is None:
        raise typer.BadParameter(f"--teach {teach} needs --save FILE")
    from slalom.terminal import landscape as shown

    if list_:
        shown.show_surfaces()
    elif teach is not None and save is not None:
        shown.write_lesson(teach, save, drawn)
    elif run is not None:
        shown.show_run(run, save, drawn, json=json, **network)
    elif train is not None:
        shown.show_training(train, {**asked, **network}, save, drawn, json=json)
    else:
        shown.show(asked, save, drawn, json=json, still=still)


TAKEN: dict[str, set[str]] = {
    "a surface": {"on", "rules", "rotate", "start", "lr", "steps", "seed", "frames", "theme", "json", "still"},
    "--list": set(),
    "--teach": {"frames", "theme"},
    "--run": {"lane", "to", "points", "theme", "json"},
    "--train": {"rules", "lr", "seed", "model", "epochs", "points", "frames", "theme", "json"},
}


def _belong(mode: str, asked: dict[str, Any]) -> None:
    """A usage error for an option that this mode does not take."""
    wrong = [name for name in asked if name not in TAKEN[mode]]
    if wrong:
        name = "a surface" if wrong[0] == "on" else "--tuned or --lr" if wrong[0] == "lr" else f"--{wrong[0]}"
        raise typer.BadParameter(f"{name} does not go with {mode}")
