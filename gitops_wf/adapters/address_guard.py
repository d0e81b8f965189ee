"""Names to addresses that may be connected to: closes the gap of DNS rebinding."""

import socket

from gitops_wf.core.addresses import AddressPolicy
from gitops_wf.core.errors import TerminalError, TransientError, cut


class AddressGuard:
    """Resolves a host and gives only what the policy allows.

    Callers connect to the addresses given, never to the name again: what was checked
    is what is connected to.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy

    def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Return the allowed addresses, in the resolver's order, at least one.

        Errors: TransientError where the name does not resolve, TerminalError
        (AddressRefused) where nothing that it resolves to is allowed.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            raise TransientError(
                f"{cut(host, 128)}: name does not resolve: {exc}"
            ) from exc
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        refusals = {address: self._policy.refusal(address) for address in addresses}
        allowed = tuple(address for address in addresses if refusals[address] is None)
        if not allowed:
            why = next(iter(filter(None, refusals.values())), "it has no address")
            raise TerminalError(
                f"{cut(host, 128)} may not be connected to: {why}; `outbound` of the "
                "daemon config can allow it",
                reason="AddressRefused",
            )
        return allowed
