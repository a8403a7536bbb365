"""`slalom tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from slalom.cli.app import DATA_HELP, app, parsed


@app.command()
def tune(
    data: Annotated[str | None, typer.Argument(metavar="DATA", help=DATA_HELP, show_default="digits")] = None,
    target: Annotated[str | None, typer.Option(metavar="NAME", help="The column to predict; a table needs it.")] = None,
    task: Annotated[str | None, typer.Option(help="classification or regression.", show_default="by the target")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="mlp, mlp:64,64:relu, or package.module:factory with annotated arguments.",
            show_default="MLPs of any shape",
        ),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A TOML file of what may vary, such as lr = {low = 1e-4, high = 1, log = true}.",
            show_default="a sensible one",
        ),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="N|TIME", help="200 (trials), 5m, 1h, '1e6 lane_steps'.", show_default="1m")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="auto, random, grid, bayesian, gp, evolution, cma, annealing or manual.", show_default="auto"),
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="The most a trial is trained for.", show_default="27")] = None,
    halving: Annotated[
        float | None,
        typer.Option(metavar="N", help="One in N goes on at each rung; 1: all run to the end.", show_default="3"),
    ] = None,
    lanes: Annotated[
        int | None, typer.Option(metavar="N", help="Trials side by side.", show_default="8 to 32, by the budget")
    ] = None,
    batch_size: Annotated[str | None, typer.Option(metavar="N|full", help="Where the space has none.", show_default="64")] = None,
    objective: Annotated[
        str | None, typer.Option(help="Validation loss or metric is what is searched by.", show_default="loss")
    ] = None,
    loss: Annotated[str | None, typer.Option(help="cross_entropy or mse.", show_default="by the task")] = None,
    metric: Annotated[str | None, typer.Option(help="What is reported.", show_default="accuracy or r2")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of the search.", show_default="0")] = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", help="Fresh ones for the finalists.", show_default="5")] = None,
    finalists: Annotated[int | None, typer.Option(metavar="N", help="Trained anew at the end.", show_default="3")] = None,
    try_: Annotated[
        list[str] | None,
        typer.Option("--try", metavar="NAME=VALUE,..", help="A configuration of yours to try first; once for each."),
    ] = None,
    executor: Annotated[str | None, typer.Option(help="local, processes or ray.", show_default="local")] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Of processes or ray.", show_default="one a core")] = None,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="A database that several searches share.", show_default="none")
    ] = None,
    log: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="tensorboard, mlflow or wandb, if installed; once for each.")
    ] = None,
    split_seed: Annotated[int | None, typer.Option(metavar="N", help="Picks the rows of the parts.", show_default="0")] = None,
    folds: Annotated[
        int | None, typer.Option(metavar="K", help="K-fold validation in place of the validation part.", show_default="none")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or float64.", show_default="float32")] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", "-o", metavar="DIR", help="Where the run is kept.", show_default="runs/DATE-DATA-N"),
    ] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Go on with a search that was stopped.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="The page.", show_default="DIR/report.html")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, the result last.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of the live table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the run directory and nothing else.")] = False,
) -> None:
    """Search for the best model and training on one data set, and say how far the answer can be trusted."""
    if json + plain + quiet > 1:
        raise typer.BadParameter("--json, --plain and --quiet exclude each other")
    from slalom.terminal import arguments

    given: dict[str, Any] = {
        "data": data, "target": target, "task": task, "model": model, "space": space, "budget": budget, "method": method,
        "epochs": epochs, "halving": halving, "lanes": lanes, "batch_size": parsed(arguments.batch_size, batch_size),
        "objective": objective, "loss": loss, "metric": metric, "seed": seed, "seeds": seeds, "finalists": finalists,
        "enqueue": parsed(arguments.configurations, try_ or None), "executor": executor, "workers": workers,
        "storage": storage, "split_seed": split_seed, "dtype": dtype, "directory": directory,
        "log": log or None, "folds": folds,
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    if resume is not None and set(given) - {"executor", "workers", "log"}:
        named = ", ".join(sorted(set(given) - {"executor", "workers", "log"}))
        raise typer.BadParameter(f"--resume goes on with the plan in {resume}; leave out what sets: {named}")
    from slalom.terminal import output, search, session

    chosen = session.mode(json=json, plain=plain, quiet=quiet, terminal=output.console().is_terminal)
    raise typer.Exit(search.run(given, resume, chosen, report))
