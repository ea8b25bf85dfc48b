"""What lives by itself in the emulated AWS: pods, controllers, load balancers and their health checks."""
