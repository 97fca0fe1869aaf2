"""Group filters: (success (N,), scores, group (N,)) -> keep (N,) bool, the same for all rows of a group."""
