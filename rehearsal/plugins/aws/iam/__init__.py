"""The emulated IAM types: state lies in moto, and nobody judges what a policy allows."""
