"""The stack as Pulumi knows it, without an engine."""
