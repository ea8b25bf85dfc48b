"""The API servers of the emulated clusters: what they keep, and what they and their webhooks refuse."""
