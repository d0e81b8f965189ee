"""Resources that the sandbox cluster ships: the schemas of the built-in kinds."""
