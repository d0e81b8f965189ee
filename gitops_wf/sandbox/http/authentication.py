"""Who a request is from: its token, and whom it asks to be instead."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import datetime

from gitops_wf.sandbox.authorization import Attributes, Authorizer, forbidden_to
from gitops_wf.sandbox.http.request import Request
from gitops_wf.sandbox.http.tokens import AccountTokens
from gitops_wf.sandbox.statuses import ApiError, bad_request
from gitops_wf.sandbox.users import ADMIN, ANONYMOUS, MASTERS, User, impersonated


class Authentication:
    """Knows the administrator's token and those of ServiceAccounts."""

    def __init__(
        self, token: str, accounts: AccountTokens, authorizer: Authorizer
    ) -> None:
        self._token, self._accounts = token.encode(), accounts
        self._authorizer = authorizer

    def user(self, request: Request, asked: Attributes, now: datetime) -> User:
        """The user of a request after impersonation; ApiError 401, 403, 400."""
        caller = self._caller(request.header("authorization"), now)
        name = request.header("impersonate-user")
        groups = tuple(request.all_headers("impersonate-group"))
        uid = request.header("impersonate-uid")
        if not name:
            if groups or uid:
                raise _nobody(uid, groups)
            return caller
        self._check_impersonation(caller, asked, name, uid, groups)
        return impersonated(name, uid, groups)

    def _caller(self, header: str, now: datetime) -> User:
        if not header:
            return ANONYMOUS
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() == "bearer":
            if hmac.compare_digest(token.encode(), self._token):
                return ADMIN
            found = self._accounts.user(token, now)
            if found is not None:
                return found
        raise ApiError(401, "Unauthorized", reason="Unauthorized")

    def _check_impersonation(
        self,
        caller: User,
        asked: Attributes,
        name: str,
        uid: str,
        groups: tuple[str, ...],
    ) -> None:
        """ApiError 403 where the caller may not be one of these."""
        if MASTERS in caller.groups:
            return
        wanted = [_of_user(name)]
        wanted += [_impersonate("groups", one) for one in groups]
        if uid:
            wanted.append(
                _impersonate("uids", uid, group="authentication.k8s.io"),
            )
        if all(self._authorizer.decide(caller, one).is_allowed for one in wanted):
            return
        # Since 1.36 the server says which narrower right would do.
        mode = "serviceaccount" if wanted[0].resource == "serviceaccounts" else ""
        verb = f"impersonate-on:{mode or 'user-info'}:{asked.verb}"
        raise forbidden_to(caller, replace(asked, verb=verb))


def _of_user(name: str) -> Attributes:
    space, _, account = name.removeprefix("system:serviceaccount:").partition(":")
    if name.startswith("system:serviceaccount:") and account:
        return _impersonate("serviceaccounts", account, namespace=space)
    return _impersonate("users", name)


def _impersonate(
    resource: str, name: str, *, group: str = "", namespace: str = ""
) -> Attributes:
    return Attributes(
        verb="impersonate",
        group=group,
        resource=resource,
        namespace=namespace,
        name=name,
    )


def _nobody(uid: str, groups: tuple[str, ...]) -> ApiError:
    shown = ", ".join(f'"{one}"' for one in groups)
    listed = f"[]string{{{shown}}}" if groups else "[]string(nil)"
    return bad_request(
        f'requested &user.DefaultInfo{{Name:"", UID:"{uid}", Groups:{listed}, '
        "Extra:map[string][]string(nil)} without impersonating a user name"
    )
