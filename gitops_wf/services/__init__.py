"""Verbs: discover, advance, approve, query; they join the core to the ports."""
