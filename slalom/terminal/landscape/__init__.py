"""Landscapes at the terminal."""

from slalom.terminal.landscape.network import show_run, show_training
from slalom.terminal.landscape.show import show, show_surfaces, write_lesson

__all__ = ["show", "show_run", "show_surfaces", "show_training", "write_lesson"]
