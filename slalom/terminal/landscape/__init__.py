"""Landscapes at the terminal."""

from slalom.terminal.landscape.show import show, show_surfaces

__all__ = ["show", "show_surfaces"]
