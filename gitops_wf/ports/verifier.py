"""Who signed a commit, as far as it can be proven."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from gitops_wf.core.identifiers import Sha


class UnverifiedReason(StrEnum):
    """Why a commit proves nobody."""

    UNSIGNED = "Unsigned"
    BAD_SIGNATURE = "BadSignature"
    UNKNOWN_SIGNER = "UnknownSigner"
    EXPIRED = "Expired"
    REVOKED = "Revoked"
    UNSUPPORTED = "Unsupported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Signed by a key that the allowed signers give to `principal` (an address)."""

    principal: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unverified:
    """Not proven; `message` says it in words for `describe`."""

    reason: UnverifiedReason
    message: str


Verification: TypeAlias = Verified | Unverified


class SignatureVerifier(Protocol):
    """Checks commit signatures against the daemon config's allowed signers."""

    def verify(self, shas: Sequence[Sha]) -> Mapping[Sha, Verification]:
        """One verdict per commit; a commit that is not here is a `KeyError`.

        A signer's validity is judged at the commit's own date, as Git does, which the
        signer chose: whoever must lose the right at once is revoked, not only expired.
        """
