"""The stack as Pulumi knows it, and the hooks that put the gate there."""
