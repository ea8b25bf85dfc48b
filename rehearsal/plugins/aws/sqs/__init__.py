"""The emulated SQS types: state lies in moto, and nobody sends anything."""
