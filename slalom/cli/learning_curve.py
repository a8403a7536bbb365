"""`slalom learning-curve`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from slalom.cli import options
from slalom.cli.app import app, parsed


@app.command("learning-curve", cls=options.sections(), short_help="Would more data help?")
def learning_curve(
    data: options.Data = None,
    target: options.Target = None,
    task: options.Task = None,
    model: options.Model = None,
    rule: Annotated[
        str | None, typer.Option(metavar="RULE", help="adam, 'sgd(momentum=0.9)', torch.Adam.", show_default="adam")
    ] = None,
    lr: Annotated[float | None, typer.Option(metavar="LR", help="Its learning rate.", show_default="the rule's own")] = None,
    sizes: Annotated[
        str | None, typer.Option(metavar="N,..", help="Numbers of training rows.", show_default="five, doubling up to all")
    ] = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", help="How many.", show_default="5")] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Of every run.", show_default="500")] = None,
    batch_size: options.BatchSize = None,
    json: Annotated[bool, typer.Option("--json", help="The curve as one JSON object.")] = False,
) -> None:
    """Would more data help? The error against the number of training rows, and the advice that follows."""
    from slalom.terminal.typed import arguments

    given: dict[str, Any] = {
        "data": data, "target": target, "task": task, "model": model, "rule": rule, "lr": lr,
        "sizes": parsed(arguments.sizes, sizes), "seeds": seeds, "steps": steps,
        "batch_size": parsed(arguments.batch_size, batch_size),
    }  # fmt: skip
    from slalom.terminal import learning_curve as shown

    shown.show({name: value for name, value in given.items() if value is not None}, json=json)
