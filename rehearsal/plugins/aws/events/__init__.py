"""The emulated EventBridge types: state lies in moto, and nothing happens of which a rule would tell."""
