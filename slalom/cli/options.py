"""What several commands share: their options, and help in sections."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

Data = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA", help="A built-in name (`slalom data`), or a .csv, .tsv, .parquet or .npz file.", show_default="digits"
    ),
]
Target = Annotated[str | None, typer.Option(metavar="NAME", help="The column to predict; a table needs it.")]
Task = Annotated[str | None, typer.Option(help="classification or regression.", show_default="by the target")]
Model = Annotated[
    str | None,
    typer.Option(metavar="SPEC", help="mlp:64,64:relu, or package.module:factory.", show_default="an MLP sized to the data"),
]
BatchSize = Annotated[str | None, typer.Option(metavar="N|full", help="Samples a step.", show_default="64")]
Loss = Annotated[str | None, typer.Option(help="cross_entropy or mse.", show_default="by the task")]
Clip = Annotated[float | None, typer.Option(metavar="NORM", help="Clip the gradient's norm.")]
SplitSeed = Annotated[int | None, typer.Option(metavar="N", help="Picks the rows of the parts.", show_default="0")]
Dtype = Annotated[str | None, typer.Option(help="float32 or float64.", show_default="float32")]
Events = Annotated[bool, typer.Option("--json", help="One JSON object a line, the result last.")]
Plain = Annotated[bool, typer.Option("--plain", help="Lines instead of the live table.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the run directory and nothing else.")]


_DEFAULT = re.compile(r"\[default: \((.*?)\)(?=[];])")  # brackets that say it is told, not taken, and read as noise


def sections(**begins: str) -> type[TyperCommand]:
    """A command whose help lists its options under headings; each begins at the parameter that it is named for here."""

    class Sectioned(TyperCommand):
        def format_options(self, ctx: Any, formatter: Any) -> None:
            heading = "Options"
            parts: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
            for param in self.get_params(ctx):
                told = param.get_help_record(ctx)
                heading = "Options" if param.name == "help" else begins.get(param.name or "", heading)
                if told is not None:
                    row = told[0], _DEFAULT.sub(r"[default: \1", told[1])
                    parts.setdefault("Arguments" if param.param_type_name == "argument" else heading, []).append(row)
            first, last = parts.pop("Arguments"), parts.pop("Options")
            for title, rows in (("Arguments", first), *parts.items(), ("Options", last)):
                if rows:
                    with formatter.section(title):
                        formatter.write_dl(rows)

    return Sectioned
