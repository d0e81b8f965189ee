"""`demo`: a release from push to rollback, on real parts, in a minute."""
