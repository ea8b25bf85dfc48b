"""The emulated load balancing types: state lies in moto, and limits that moto lets through are refused here."""
