"""The feedback pipeline on files: stages that are kept and gone on with. `python -m crucible.feedback`."""
