"""What is allowed and what it means. Pure: no I/O, no clock; what was read is given."""
