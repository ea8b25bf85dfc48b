"""The emulated EC2 types: state lies in moto, and what moto deletes while it is in use is refused here."""
