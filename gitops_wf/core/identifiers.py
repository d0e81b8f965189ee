"""Names of things that Git knows: text that only a parser or Git itself may coin."""

from typing import NewType

Sha = NewType("Sha", str)
"""Full id of a commit: 40 (SHA-1) or 64 (SHA-256) lower-case hex digits."""

Oid = NewType("Oid", str)
"""Full id of any Git object (blob, tree, commit), in the same form."""
