"""A small Kubernetes API server on loopback; imports nothing of the rest."""
