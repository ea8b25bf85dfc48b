"""The emulated EKS types: clusters and node groups lie in moto; the rest, which moto has not, in the store."""
