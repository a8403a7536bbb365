"""`slalom range`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from slalom.cli import options
from slalom.cli.app import app, parsed


@app.command(
    "range",
    cls=options.sections(target="Data and model", optimizer="The test", batch_size="Training", plot="Output"),
    short_help="Find the learning rate for one optimizer.",
)
def range_(
    data: options.Data = None,
    target: options.Target = None,
    task: options.Task = None,
    model: options.Model = None,
    split_seed: options.SplitSeed = None,
    optimizer: Annotated[
        str | None,
        typer.Option("--optimizer", "--rule", metavar="RULE", help="adam, 'sgd(momentum=0.9)', torch.Adam.", show_default="adam"),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="lanes: many rates side by side; sweep: one pass; epochs: one an epoch.", show_default="lanes"),
    ] = None,
    low: Annotated[float | None, typer.Option(metavar="LR", help="The least rate.", show_default="1e-5")] = None,
    high: Annotated[float | None, typer.Option(metavar="LR", help="The largest rate.", show_default="100")] = None,
    lrs: Annotated[str | None, typer.Option(metavar="LR,..", help="Rates of your own, each trained for --steps (lanes).")] = None,
    steps: Annotated[
        int | None, typer.Option(metavar="N", help="Of each of --lrs; rates of a pass.", show_default="100, of epochs 15")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(metavar="N", help="Training steps over all rates, for each seed (lanes).", show_default="800")
    ] = None,
    seeds: Annotated[str | None, typer.Option(metavar="N|A,B,..", help="How many, or which.", show_default="1")] = None,
    widen: Annotated[
        bool | None, typer.Option("--widen/--no-widen", help="Add rates at an edge that is best (lanes).", show_default="widen")
    ] = None,
    growth: Annotated[str | None, typer.Option(help="exponential or linear (sweep, epochs).", show_default="exponential")] = None,
    by: Annotated[str | None, typer.Option(help="loss or accuracy (epochs).", show_default="loss")] = None,
    batch_size: options.BatchSize = None,
    loss: options.Loss = None,
    clip: options.Clip = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the curve (needs matplotlib).")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page of it.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The result as one JSON object.")] = False,
) -> None:
    """Find the learning rate for one optimizer on a model and data: short runs at many rates, or the one-pass range test."""
    from slalom.terminal.typed import arguments

    given: dict[str, Any] = {
        "data": data, "target": target, "task": task, "model": model, "optimizer": optimizer, "method": method, "low": low,
        "high": high, "lrs": parsed(arguments.rates, lrs), "steps": steps, "budget": budget,
        "seeds": parsed(arguments.seeds, seeds), "widen": widen, "growth": growth, "by": by,
        "batch_size": parsed(arguments.batch_size, batch_size), "loss": loss, "clip": clip, "split_seed": split_seed,
    }  # fmt: skip
    from slalom.terminal import range_test

    range_test.show({name: value for name, value in given.items() if value is not None}, plot, json=json, page=report)
