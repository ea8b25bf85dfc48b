"""A migration as it is played: its scenes, its clients, what they saw, and the report."""
