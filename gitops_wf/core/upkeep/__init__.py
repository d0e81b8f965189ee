"""What becomes of a released revision on its targets: drift and health, as values."""
