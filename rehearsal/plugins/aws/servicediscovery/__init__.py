"""The emulated Cloud Map types: state lies in moto, and what moto deletes while it is in use is refused here."""
