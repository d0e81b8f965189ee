"""YAML text to core values; errors name file, line, field and mend; reads no files."""
