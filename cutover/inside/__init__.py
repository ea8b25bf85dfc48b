"""What the API of a cluster says."""
