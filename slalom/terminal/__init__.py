"""What a person or a program sees of a race on the terminal: live table, plain lines, JSON lines, leaderboard."""
