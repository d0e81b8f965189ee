"""Replays recorded Kubernetes requests against a server and compares its answers."""
