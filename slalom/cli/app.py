"""The application that the commands register with: what goes wrong in one is reported in one place."""

from __future__ import annotations

from collections.abc import Callable
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


app = typer.Typer(
    cls=Guarded, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Which optimizer and learning rate suit this model and this data: `slalom race`. Why training falls short: "
    "`slalom examine`. How the methods behave: `slalom landscape`.",
    epilog="Exit codes: 0 fine, 1 bad input, 2 usage, 3 every lane retired, 70 fault, 130 Ctrl-C, 141 closed pipe, 143 SIGTERM.",
)  # fmt: skip


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


def parsed(parse: Callable[[Any], Any], value: Any) -> Any:
    """`parse(value)`, with its ValueError as a usage error."""
    if value is None:
        return None
    try:
        return parse(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
