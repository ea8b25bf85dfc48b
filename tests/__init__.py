"""The tests, room by room as the program has them; engine/ runs the real engine."""
