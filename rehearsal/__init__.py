"""The whole migration on one machine: the real engine over an emulated AWS. Nothing here reaches a real account."""
