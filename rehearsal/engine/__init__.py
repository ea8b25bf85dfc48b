"""The real engine, how it starts plugins and programs here, and the sandbox around it all."""
