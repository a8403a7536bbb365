"""The commands of the book of claims."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slalom.cli import options
from slalom.cli.app import app

claims = typer.Typer(
    name="claims", invoke_without_command=True, no_args_is_help=False, rich_markup_mode=None,
    short_help="What textbooks say, tested: holds, fails, depends.",
    help="What textbooks say of optimizers, activations and regularisation, tested on your machine.",
)  # fmt: skip
app.add_typer(claims)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Such as O13; `slalom claims` lists them.")]
RunOption = Annotated[
    Path | None,
    typer.Option("--run", metavar="PATH", help="Verdicts of this run directory or file.", show_default="the committed run"),
]


@claims.callback()
def listed(
    context: typer.Context,
    run: RunOption = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a claim.")] = False,
) -> None:
    """List the claims with their last verdicts; `run` tests them here, `show` explains one, `book` writes them all."""
    if context.invoked_subcommand is not None:
        return
    from slalom.terminal import claims as shown

    shown.show_list(run, as_json=json)


@claims.command(cls=options.sections(), short_help="What one claim says, and how it was tested.")
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="Such as O13.")],
    run: RunOption = None,
    zh: Annotated[bool, typer.Option("--zh", help="In Simplified Chinese.")] = False,
) -> None:
    """Show one claim: sentence, literature, set-up, decision rule, verdict and figures, errata."""
    from slalom.terminal import claims as shown

    shown.show_claim(name, run, "zh" if zh else "en")


@claims.command(cls=options.sections())
def run(
    ids: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All claims: about 20 minutes on two quiet cores.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="All claims, or those named, with two seeds in each set: a first look.")
    ] = False,
    seeds: Annotated[
        int | None, typer.Option(min=2, help="Seeds in each of the two sets.", show_default="each claim's own")
    ] = None,
    first_seed: Annotated[
        int, typer.Option(min=0, help="Count the seeds from here: a fresh test of the verdicts of another run.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Run directory.", show_default="runs/DATE-claims-N")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Go on with a run that was stopped.")] = None,
) -> None:
    """Test claims here: each outcome is saved as it finishes."""
    chosen = list(ids or [])
    if resume is not None and (chosen or every or quick or seeds or first_seed or out):
        raise typer.BadParameter("--resume goes on with what that run was started for; leave the rest out")
    if resume is None and bool(chosen) == every and not (quick and not chosen):
        raise typer.BadParameter("name claims (slalom claims run O13), or give --all, or --quick")
    if quick and seeds is not None:
        raise typer.BadParameter("--quick has two seeds in each set; give one of --quick and --seeds")
    from slalom.terminal import claims as shown

    if resume is not None:
        shown.go_on(resume)
    else:
        shown.run(chosen or None, quick, seeds, first_seed, out)


@claims.command(cls=options.sections())
def book(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where claims.md, claims.zh-CN.md and pictures go.")] = Path(
        "docs"
    ),
    run: RunOption = None,
    page: Annotated[bool, typer.Option("--page", help="Write claims.html and claims.zh-CN.html too: one file each.")] = False,
) -> None:
    """Write the book from a run, in English and Simplified Chinese."""
    from slalom.terminal import claims as shown

    shown.write_book(directory, run, page)


@claims.command(cls=options.sections(), short_help="Join two runs on different seeds.")
def join(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory or file: the first set of seeds.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Another, with other seeds: the second set.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the joined run goes.")] = Path("claims.json"),
) -> None:
    """Join two runs on different seeds: what flips between them is undecided."""
    from slalom.terminal import claims as shown

    shown.join(first, second, out)
