"""Invariants on the real engine over the emulated AWS."""
