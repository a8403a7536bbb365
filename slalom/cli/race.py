"""`slalom race`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from slalom.cli import options
from slalom.cli.app import app, parsed

AXES = "Activation and regularisation, one value or several to compare"


def _axis(form: str, text: str) -> Any:
    return typer.Option(metavar=form, help=text)


@app.command(
    cls=options.sections(data_option="Data and model", rules="What is raced", activation=AXES, directory="The run"),
    short_help="Race optimizers over learning rates and seeds.",
)
def race(
    data: options.Data = None,
    data_option: Annotated[str | None, typer.Option("--data", metavar="DATA", help="The same, as an option.")] = None,
    target: options.Target = None,
    task: options.Task = None,
    model: options.Model = None,
    split_seed: options.SplitSeed = None,
    rules: Annotated[
        str | None,
        typer.Option(metavar="RULE,..", help="sgd,adam,'adam(amsgrad=True)',torch.Adam.", show_default="11 with a twin in torch"),
    ] = None,
    lrs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[RULE=]LR,..",
            help="For every rule: .1,.01; or for one, once for each: --lrs adam=.001,.01 --lrs sgd=.1.",
            show_default="9 around each rule's own",
        ),
    ] = None,
    widen: Annotated[
        bool | None,
        typer.Option(
            "--widen/--no-widen", help="Add rates while the best is a grid's last.", show_default="widen the default grids"
        ),
    ] = None,
    seeds: Annotated[str | None, typer.Option(metavar="N|A,B,..", help="How many, or which.", show_default="3")] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Passes over the training part.", show_default="20")] = None,
    batch_size: options.BatchSize = None,
    schedule: Annotated[str | None, typer.Option(metavar="SPEC", help="Of the learning rate; see `slalom schedules`.")] = None,
    loss: options.Loss = None,
    metric: Annotated[str | None, typer.Option(help="What rules are compared by.", show_default="accuracy or r2")] = None,
    clip: options.Clip = None,
    order: Annotated[
        str | None, typer.Option(help="Of the data: by seed, one shared, or each lane its own.", show_default="seed")
    ] = None,
    dtype: options.Dtype = None,
    device: Annotated[str | None, typer.Option(help="cpu, or a GPU: cuda, cuda:1.", show_default="cpu")] = None,
    compare: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="regularisation or activations: a race that answers which of them helps here."),
    ] = None,
    activation: Annotated[str | None, _axis("NAME,..", "relu,tanh,maxout; see `slalom activations`.")] = None,
    width: Annotated[str | None, _axis("F,..", "1,.25: factor on the hidden layers' widths.")] = None,
    batch_norm: Annotated[str | None, _axis("yes|no|no,yes", "Batch normalisation in every hidden layer.")] = None,
    dropout: Annotated[str | None, _axis("P,..", "0,.2,.5: after every hidden layer.")] = None,
    l1: Annotated[str | None, _axis("S,..", "0,.001: lasso, by proximal steps; or subgradient(.001).")] = None,
    l2: Annotated[str | None, _axis("S,..", "0,.01: ridge, part of the gradient.")] = None,
    elastic_net: Annotated[str | None, _axis("L1/L2,..", "none,.001/.01.")] = None,
    weight_decay: Annotated[str | None, _axis("S,..", "0,.01: decoupled, as AdamW's; biases decay too.")] = None,
    augment: Annotated[str | None, _axis("SPEC,..", "none,noise=.1,shift=1+cutout=2, mixup, rotate, feature_drop.")] = None,
    label_smoothing: Annotated[str | None, _axis("S,..", "0,.1.")] = None,
    early_stopping: Annotated[str | None, _axis("N,..", "0,5: epochs without a better validation loss.")] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", "-o", metavar="DIR", help="Where the run is kept.", show_default="runs/DATE-DATA-N"),
    ] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Go on with a race that was stopped.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="The page.", show_default="DIR/report.html")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Serve the page live, to this machine alone.")] = False,
    json: options.Events = False,
    plain: options.Plain = False,
    quiet: options.Quiet = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say on stderr how lanes are run, and why.")] = False,
) -> None:
    """Race optimizers over learning rates and seeds on one model and one data set; then show who leads, and make a page."""
    from slalom.terminal.typed import arguments, axes

    if data is not None and data_option is not None:
        raise typer.BadParameter(f"data is given twice: {data} and --data {data_option}")
    if json + plain + quiet > 1:
        raise typer.BadParameter("--json, --plain and --quiet exclude each other")
    given: dict[str, Any] = {
        "data": data or data_option, "target": target, "task": task, "model": model, "rules": parsed(arguments.rules, rules),
        "lrs": parsed(arguments.learning_rates, lrs or None), "widen": widen, "seeds": parsed(arguments.seeds, seeds),
        "epochs": epochs, "batch_size": parsed(arguments.batch_size, batch_size), "schedule": schedule, "loss": loss,
        "metric": metric, "clip": clip, "order": order, "split_seed": split_seed, "dtype": dtype, "device": device,
        "directory": directory,
    }  # fmt: skip
    typed = {
        "activation": activation, "width": width, "batch_norm": batch_norm, "dropout": dropout, "l1": l1,
        "l2": l2, "elastic_net": elastic_net, "weight_decay": weight_decay, "augment": augment,
        "label_smoothing": label_smoothing,
        "early_stopping": early_stopping,
    }  # fmt: skip
    given |= {name: parsed(axes.PARSERS[name], text) for name, text in typed.items()} | {"compare": compare}
    given = {name: value for name, value in given.items() if value is not None}
    if resume is not None and given:
        raise typer.BadParameter(f"--resume goes on with the plan in {resume}; leave out what sets: {', '.join(given)}")
    from slalom.terminal import output
    from slalom.terminal.race import session

    chosen = session.mode(json=json, plain=plain, quiet=quiet, terminal=output.console().is_terminal)
    with output.explained(verbose):
        code = session.race(given, resume, chosen, report, live=watch)
    raise typer.Exit(code)
