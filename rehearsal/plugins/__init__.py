"""The emulated provider plugins, which the engine calls as it calls the real ones."""
