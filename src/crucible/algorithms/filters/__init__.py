"""Group filters: (success (N,), scores, group (N,)) -> keep (N,) bool, or how often (N,) int64 a row is trained on."""
