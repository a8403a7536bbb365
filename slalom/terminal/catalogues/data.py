"""The built-in data sets."""

from __future__ import annotations

from rich.text import Text

from slalom.terminal.catalogues.rules import names_table
from slalom.terminal.output import console


def show_data() -> None:
    """The built-in data sets."""
    from slalom.data import names

    out = console()
    out.print(names_table(names(), "data set"))
    out.print(Text("Your own: slalom race file.csv --target COLUMN  (.csv, .tsv, .parquet, .npz)", "dim"))
