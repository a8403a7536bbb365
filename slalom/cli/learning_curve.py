"""`slalom learning-curve`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from slalom.cli.app import DATA_HELP, app, parsed


@app.command("learning-curve")
def learning_curve(
    data: Annotated[str | None, typer.Argument(metavar="DATA", help=DATA_HELP, show_default="digits")] = None,
    target: Annotated[str | None, typer.Option(metavar="NAME", help="The column to predict; a table needs it.")] = None,
    task: Annotated[str | None, typer.Option(help="classification or regression.", show_default="by the target")] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help="mlp:64,64:relu, or package.module:factory.", show_default="an MLP sized to the data"),
    ] = None,
    rule: Annotated[
        str | None, typer.Option(metavar="RULE", help="adam, 'sgd(momentum=0.9)', torch.Adam.", show_default="adam")
    ] = None,
    lr: Annotated[float | None, typer.Option(metavar="LR", help="Its learning rate.", show_default="the rule's own")] = None,
    sizes: Annotated[
        str | None, typer.Option(metavar="N,..", help="Numbers of training rows.", show_default="five, doubling up to all")
    ] = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", help="How many.", show_default="5")] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Of every run.", show_default="500")] = None,
    batch_size: Annotated[str | None, typer.Option(metavar="N|full", help="Samples a step.", show_default="64")] = None,
    json: Annotated[bool, typer.Option("--json", help="The curve as one JSON object.")] = False,
) -> None:
    """Would more data help? The error against the number of training rows, and the advice that follows."""
    from slalom.terminal import arguments

    given: dict[str, Any] = {
        "data": data, "target": target, "task": task, "model": model, "rule": rule, "lr": lr,
        "sizes": parsed(arguments.sizes, sizes), "seeds": seeds, "steps": steps,
        "batch_size": parsed(arguments.batch_size, batch_size),
    }  # fmt: skip
    from slalom.terminal import learning_curve as shown

    shown.show({name: value for name, value in given.items() if value is not None}, json=json)
