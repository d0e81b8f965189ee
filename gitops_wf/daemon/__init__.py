"""The loops of one process and their supervisor; decides nothing about releases."""
