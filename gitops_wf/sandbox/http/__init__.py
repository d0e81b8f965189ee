"""The HTTP side of the sandbox: requests in, JSON, YAML, Tables and watches out."""
