"""A race at the terminal: what is known of it, the ways to show it, its last words."""
