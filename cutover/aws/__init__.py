"""What AWS says and is told. One file, one question."""
