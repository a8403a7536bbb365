"""The commands that list what there is: rules, data, schedules, activations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slalom.cli import options
from slalom.cli.app import app


@app.command(cls=options.sections(), short_help="List the update rules, or show one's page.")
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
    from slalom.terminal.catalogues import rules as catalogue

    if write is not None:
        for path in catalogue.write_rules(write):
            typer.echo(path)
    elif moments:
        catalogue.show_moments()
    elif name is not None:
        typer.echo(catalogue.rule_page(name, "markdown" if markdown else "latex" if latex else "text"))
    else:
        catalogue.show_rules()


@app.command(cls=options.sections())
def data() -> None:
    """List the built-in data sets."""
    from slalom.terminal.catalogues.data import show_data

    show_data()


@app.command(cls=options.sections())
def schedules(
    specs: Annotated[list[str] | None, typer.Argument(metavar="[SPEC]...", help="Such as cosine:.01; without one, all.")] = None,
    epochs: Annotated[int, typer.Option(help="Length of the run drawn.")] = 20,
    steps_per_epoch: Annotated[int, typer.Option(help="Steps an epoch.")] = 100,
    lr: Annotated[float, typer.Option(help="Base learning rate, the peak of most schedules.")] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a schedule, with its rate at every step.")] = False,
) -> None:
    """Draw the learning-rate schedules, or those of the specs."""
    from slalom.terminal.catalogues import schedules as drawings

    drawings.show(specs or [], epochs, steps_per_epoch, lr, as_json=json)


@app.command(cls=options.sections(), short_help="List the activation functions, or show one.")
def activations(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Show one: gelu.", show_default="list all")] = None,
    json: Annotated[bool, typer.Option("--json", help="The list as one JSON array.")] = False,
) -> None:
    """List the activation functions with their gains and costs, or show one."""
    if name is not None and json:
        raise typer.BadParameter("--json lists all; leave the name out")
    from slalom.terminal.catalogues import activations as shown

    if json:
        from json import dumps

        typer.echo(dumps(shown.rows()))
    elif name is not None:
        shown.show_activation(name)
    else:
        shown.show_activations()
