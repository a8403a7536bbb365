"""A plain function of a few numbers as a tree: read by running it on names, differentiated, evaluated, written as text.

The nodes are those of a rule's tree (`slalom.engines.printers.nodes`), so what prints them prints both. A name is `Var(name, 0)`.
"""

from slalom.engines.formula.derivative import derivative
from slalom.engines.formula.tape import Tape
from slalom.engines.formula.text import text
from slalom.engines.formula.trace import WORDS, traced

__all__ = ["WORDS", "Tape", "derivative", "text", "traced"]
