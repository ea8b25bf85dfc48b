"""What AWS says and is told, over the emulated AWS."""
