"""The command line: parse, call, print, exit code.

Exit codes: 0 fine; 1 input, data or a run directory that cannot be used; 2 the command line itself; 3 every lane of the
race retired; 70 a fault (`--debug` shows the traceback); 130 Ctrl-C; 141 whoever read the output went away; 143 SIGTERM.

Whatever is heavy (torch, rich, the race) is imported inside a command, so that `slalom --help` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class Guarded(TyperGroup):
    """Every command, with what goes wrong in it reported in one place."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors become one line on stderr and an exit code."""
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt) as error:
            if type(error).__module__.split(".")[0] in ("typer", "click"):  # usage errors and exits are their own business
                raise
            from slalom.terminal import exits

            raise typer.Exit(exits.report(error, debug=bool(ctx.params.get("debug")))) from None


DATA_HELP = "A built-in name (`slalom data`), or a .csv, .tsv, .parquet or .npz file."

app = typer.Typer(
    cls=Guarded, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Which optimizer and learning rate suit this model and this data? `slalom race` shows it.",
    epilog="Exit codes: 0 fine, 1 bad input, 2 usage, 3 every lane retired, 70 fault, 130 Ctrl-C, 141 closed pipe, 143 SIGTERM.",
)  # fmt: skip


def main() -> None:
    """The entry point of the `slalom` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without these letters gets '?', not a crash
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # so that --model package.module:factory finds what lies here
    signal.signal(signal.SIGTERM, _terminated)
    try:
        app(prog_name="slalom")
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError as error:
            from slalom.terminal import exits

            os._exit(exits.report(error, debug=False))  # an ordinary exit would try to flush again, and complain


def _terminated(number: int, frame: object) -> None:
    from slalom.terminal.exits import Terminated

    raise Terminated


def _version(asked: bool) -> None:
    if asked:
        from slalom import __version__

        typer.echo(f"slalom {__version__}")
        raise typer.Exit


@app.callback()
def slalom(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    del debug, version  # read by `Guarded` and `_version`


def _parsed(parse: Callable[[Any], Any], value: Any) -> Any:
    """`parse(value)`, with its ValueError as a usage error."""
    if value is None:
        return None
    try:
        return parse(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command()
def race(
    data: Annotated[str | None, typer.Argument(metavar="DATA", help=DATA_HELP, show_default="digits")] = None,
    data_option: Annotated[str | None, typer.Option("--data", metavar="DATA", help="The same, as an option.")] = None,
    target: Annotated[str | None, typer.Option(metavar="NAME", help="The column to predict; a table needs it.")] = None,
    task: Annotated[str | None, typer.Option(help="classification or regression.", show_default="by the target")] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help="mlp:64,64:relu, or package.module:factory.", show_default="an MLP sized to the data"),
    ] = None,
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
    batch_size: Annotated[str | None, typer.Option(metavar="N|full", help="Samples a step.", show_default="64")] = None,
    schedule: Annotated[str | None, typer.Option(metavar="SPEC", help="Of the learning rate; see `slalom schedules`.")] = None,
    loss: Annotated[str | None, typer.Option(help="cross_entropy or mse.", show_default="by the task")] = None,
    metric: Annotated[str | None, typer.Option(help="What rules are compared by.", show_default="accuracy or r2")] = None,
    clip: Annotated[float | None, typer.Option(metavar="NORM", help="Clip the gradient's norm.")] = None,
    order: Annotated[
        str | None, typer.Option(help="Of the data: by seed, one shared, or each lane its own.", show_default="seed")
    ] = None,
    split_seed: Annotated[int | None, typer.Option(metavar="N", help="Picks the rows of the parts.", show_default="0")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or float64.", show_default="float32")] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", "-o", metavar="DIR", help="Where the run is kept.", show_default="runs/DATE-DATA-N"),
    ] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Go on with a race that was stopped.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="The page.", show_default="DIR/report.html")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, the result last.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of the live table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the run directory and nothing else.")] = False,
) -> None:
    """Race optimizers over learning rates and seeds on one model and one data set; then show who leads, and make a page."""
    from slalom.terminal import arguments

    if data is not None and data_option is not None:
        raise typer.BadParameter(f"data is given twice: {data} and --data {data_option}")
    if json + plain + quiet > 1:
        raise typer.BadParameter("--json, --plain and --quiet exclude each other")
    given: dict[str, Any] = {
        "data": data or data_option, "target": target, "task": task, "model": model, "rules": _parsed(arguments.rules, rules),
        "lrs": _parsed(arguments.learning_rates, lrs or None), "widen": widen, "seeds": _parsed(arguments.seeds, seeds),
        "epochs": epochs, "batch_size": _parsed(arguments.batch_size, batch_size), "schedule": schedule, "loss": loss,
        "metric": metric, "clip": clip, "order": order, "split_seed": split_seed, "dtype": dtype, "directory": directory,
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    if resume is not None and given:
        raise typer.BadParameter(f"--resume goes on with the plan in {resume}; leave out what sets: {', '.join(given)}")
    from slalom.terminal import output, session

    chosen = session.mode(json=json, plain=plain, quiet=quiet, terminal=output.console().is_terminal)
    raise typer.Exit(session.race(given, resume, chosen, report))


@app.command("range")
def range_(
    data: Annotated[str | None, typer.Argument(metavar="DATA", help=DATA_HELP, show_default="digits")] = None,
    target: Annotated[str | None, typer.Option(metavar="NAME", help="The column to predict; a table needs it.")] = None,
    task: Annotated[str | None, typer.Option(help="classification or regression.", show_default="by the target")] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help="mlp:64,64:relu, or package.module:factory.", show_default="an MLP sized to the data"),
    ] = None,
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
    batch_size: Annotated[str | None, typer.Option(metavar="N|full", help="Samples a step.", show_default="64")] = None,
    loss: Annotated[str | None, typer.Option(help="cross_entropy or mse.", show_default="by the task")] = None,
    clip: Annotated[float | None, typer.Option(metavar="NORM", help="Clip the gradient's norm.")] = None,
    split_seed: Annotated[int | None, typer.Option(metavar="N", help="Picks the rows of the parts.", show_default="0")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the curve (needs matplotlib).")] = None,
    json: Annotated[bool, typer.Option("--json", help="The result as one JSON object.")] = False,
) -> None:
    """Find the learning rate for one optimizer on a model and data: short runs at many rates, or the one-pass range test."""
    from slalom.terminal import arguments

    given: dict[str, Any] = {
        "data": data, "target": target, "task": task, "model": model, "optimizer": optimizer, "method": method, "low": low,
        "high": high, "lrs": _parsed(arguments.rates, lrs), "steps": steps, "budget": budget,
        "seeds": _parsed(arguments.seeds, seeds), "widen": widen, "growth": growth, "by": by,
        "batch_size": _parsed(arguments.batch_size, batch_size), "loss": loss, "clip": clip, "split_seed": split_seed,
    }  # fmt: skip
    from slalom.terminal import range_test

    range_test.show({name: value for name, value in given.items() if value is not None}, plot, json=json)


@app.command()
def rules(
    name: Annotated[
        str | None, typer.Argument(metavar="RULE", help="Show one: adam, or 'adam(amsgrad=True)'.", show_default="list all")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Its page as Markdown.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Its formula alone, as LaTeX.")] = False,
    moments: Annotated[bool, typer.Option("--moments", help="Each rule's first and second moment, as a table.")] = False,
    write: Annotated[Path | None, typer.Option(metavar="DIR", help="Write every page there as Markdown, with an index.")] = None,
) -> None:
    """List the update rules, or show one's page: formula, settings with bounds, states, source, how libraries differ."""
    if (name is not None) + moments + (write is not None) > 1 or markdown + latex > 1:
        raise typer.BadParameter("a rule, --moments and --write exclude each other, as do --markdown and --latex")
    if name is None and (markdown or latex):
        raise typer.BadParameter("--markdown and --latex show one rule: slalom rules adam --markdown")
    from slalom.terminal import catalogue

    if write is not None:
        for path in catalogue.write_rules(write):
            typer.echo(path)
    elif moments:
        catalogue.show_moments()
    elif name is not None:
        typer.echo(catalogue.rule_page(name, "markdown" if markdown else "latex" if latex else "text"))
    else:
        catalogue.show_rules()


@app.command()
def data() -> None:
    """List the built-in data sets."""
    from slalom.terminal import catalogue

    catalogue.show_data()


@app.command()
def schedules(
    specs: Annotated[list[str] | None, typer.Argument(metavar="[SPEC]...", help="Such as cosine:.01; without one, all.")] = None,
    epochs: Annotated[int, typer.Option(help="Length of the run drawn.")] = 20,
    steps_per_epoch: Annotated[int, typer.Option(help="Steps an epoch.")] = 100,
    lr: Annotated[float, typer.Option(help="Base learning rate, the peak of most schedules.")] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a schedule, with its rate at every step.")] = False,
) -> None:
    """Draw the learning-rate schedules, or those of the specs."""
    from slalom.terminal import schedules as drawings

    drawings.show(specs or [], epochs, steps_per_epoch, lr, as_json=json)


@app.command()
def activations(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Show one: gelu.", show_default="list all")] = None,
    json: Annotated[bool, typer.Option("--json", help="The list as one JSON array.")] = False,
) -> None:
    """List the activation functions with their gains and costs, or show one."""
    if name is not None and json:
        raise typer.BadParameter("--json lists all; leave the name out")
    from slalom.terminal import activations as shown

    if json:
        from json import dumps

        typer.echo(dumps(shown.rows()))
    elif name is not None:
        shown.show_activation(name)
    else:
        shown.show_activations()


@app.command()
def show(
    directory: Annotated[Path, typer.Argument(help="A run directory.")],
    json: Annotated[bool, typer.Option("--json", help="The result as one JSON object.")] = False,
) -> None:
    """Print the leaderboard of a run directory."""
    from slalom.terminal import session

    raise typer.Exit(session.show_directory(directory, json=json))


@app.command()
def report(
    directory: Annotated[Path, typer.Argument(help="A run directory.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The page.", show_default="report.html in it")] = None,
) -> None:
    """Make the page of a run directory again."""
    from slalom.terminal import session

    session.report_directory(directory, output)
