"""What the command line asks and shows, one command a file; each is called by its own name."""
