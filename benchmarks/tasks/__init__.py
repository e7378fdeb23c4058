"""Tasks: what is asked, what counts as right, and the data to ask it with."""
