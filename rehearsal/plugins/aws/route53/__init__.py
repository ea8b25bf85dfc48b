"""The emulated Route 53 types: state lies in moto, and nothing is resolved."""
