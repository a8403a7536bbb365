"""The lists of what there is, and one thing's own page."""
