"""What is typed after an option, as values."""
