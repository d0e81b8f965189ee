"""What the daemon answers over HTTP; read-only."""
