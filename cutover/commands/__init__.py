"""What the command line asks and shows, a command and its parts; each is called by its own name."""
