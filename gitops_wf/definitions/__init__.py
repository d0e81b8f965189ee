"""YAML text to core values, with errors that name file, line, field and the mend; no file access."""
