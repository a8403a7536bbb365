"""How a rule is run: printed, compiled, as a torch optimizer, as lanes."""
