"""An update rule's syntax tree, printed: as LaTeX, as text, as C."""
