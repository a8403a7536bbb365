"""`slalom tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from slalom.cli import options
from slalom.cli.app import app, parsed


@app.command(
    cls=options.sections(
        target="Data and model", space="The search", seeds="The answer", directory="The run", executor="Where it runs"
    ),
    short_help="Search for the best model and training.",
)
def tune(
    data: options.Data = None,
    target: options.Target = None,
    task: options.Task = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="mlp, mlp:64,64:relu, or package.module:factory with annotated arguments.",
            show_default="MLPs of any shape",
        ),
    ] = None,
    split_seed: options.SplitSeed = None,
    folds: Annotated[
        int | None, typer.Option(metavar="K", help="K-fold validation in place of the validation part.", show_default="none")
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
    objective: Annotated[
        str | None, typer.Option(help="Validation loss or metric is what is searched by.", show_default="loss")
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
    loss: options.Loss = None,
    metric: Annotated[str | None, typer.Option(help="What is reported.", show_default="accuracy or r2")] = None,
    dtype: options.Dtype = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of the search.", show_default="0")] = None,
    try_: Annotated[
        list[str] | None,
        typer.Option("--try", metavar="NAME=VALUE,..", help="A configuration of yours to try first; once for each."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", help="Fresh ones for the finalists.", show_default="5")] = None,
    finalists: Annotated[int | None, typer.Option(metavar="N", help="Trained anew at the end.", show_default="3")] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", "-o", metavar="DIR", help="Where the run is kept.", show_default="runs/DATE-DATA-N"),
    ] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Go on with a search that was stopped.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="The page.", show_default="DIR/report.html")] = None,
    json: options.Events = False,
    plain: options.Plain = False,
    quiet: options.Quiet = False,
    executor: Annotated[str | None, typer.Option(help="local, processes or ray.", show_default="local")] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Of processes or ray.", show_default="one a core")] = None,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="A database that several searches share.", show_default="none")
    ] = None,
    log: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="tensorboard, mlflow or wandb, if installed; once for each.")
    ] = None,
) -> None:
    """Search for the best model and training on one data set, and say how far the answer can be trusted."""
    if json + plain + quiet > 1:
        raise typer.BadParameter("--json, --plain and --quiet exclude each other")
    from slalom.terminal.typed import arguments

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
    from slalom.terminal import output, search
    from slalom.terminal.race import session

    chosen = session.mode(json=json, plain=plain, quiet=quiet, terminal=output.console().is_terminal)
    raise typer.Exit(search.run(given, resume, chosen, report))
