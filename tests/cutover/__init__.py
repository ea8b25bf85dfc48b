"""The gate: its rule, its reads, and where it stands."""
