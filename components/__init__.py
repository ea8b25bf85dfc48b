"""What is deployed: one component, one file; no SDK call, no configuration read, no export inside."""
