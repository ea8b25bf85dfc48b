"""The emulated types of CloudWatch Logs: state lies in moto, and nobody writes into a group."""
