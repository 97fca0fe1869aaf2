"""A paper's table out of runs: a YAML file says what, run directories or results files say how much."""
