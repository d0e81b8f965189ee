"""Pull requests on GitHub, GitLab and Gitea, over the Outbound port.

One is found again by its head branch, so that a repeated attempt opens no second. The
APIs are those of docs.github.com/rest/pulls, docs.gitlab.com/api/merge_requests and
docs.gitea.com/api.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from gitops_wf.core.errors import TerminalError, TransientError, cut
from gitops_wf.core.notifications.verdict import (
    Answer,
    Refused,
    RetryIn,
    judge_http,
    retry_after,
)
from gitops_wf.core.redaction import redact
from gitops_wf.core.secret import Secret
from gitops_wf.ports.outbound import HttpRequest, Outbound

TIMEOUT = timedelta(seconds=20)
REFUSED = "PullRequestRefused"


class Provider(StrEnum):
    """What serves the repository."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"


class PullState(StrEnum):
    """What became of a pull request."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """A pull request, or a merge request."""

    number: int
    url: str
    state: PullState


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a pull request is to say; ``head`` and ``base`` are branches."""

    head: str
    base: str
    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forge:
    """A repository on a provider. ``api`` is the base URL of its API."""

    provider: Provider
    api: str
    repository: str
    token: Secret
    outbound: Outbound
    now: datetime

    def find(self, head: str, base: str) -> PullRequest | None:
        """Return the newest one from one branch to another, open or not.

        Errors: TransientError where it is to be tried again, TerminalError
        (PullRequestRefused) where the provider says no.
        """
        match self.provider:
            case Provider.GITHUB:
                owner = self.repository.partition("/")[0]
                query = {
                    "head": f"{owner}:{head}",
                    "base": base,
                    "state": "all",
                    "per_page": "10",
                }
                found = self._asked(f"{self._place}/pulls?{urlencode(query)}")
            case Provider.GITLAB:
                query = {
                    "source_branch": head,
                    "target_branch": base,
                    "order_by": "created_at",
                    "sort": "desc",
                    "per_page": "10",
                }
                found = self._asked(f"{self._place}/merge_requests?{urlencode(query)}")
            case Provider.GITEA:
                path = f"pulls/{quote(base, safe='')}/{quote(head)}"
                one = self._asked(f"{self._place}/{path}", absent=404)
                found = [] if one is None else [one]
        if not isinstance(found, list):
            raise self._strange()
        pulls = [self._read(each) for each in found]
        # An open one counts, whatever was closed before it.
        is_open = (pull for pull in pulls if pull.state is PullState.OPEN)
        return next(is_open, pulls[0] if pulls else None)

    def open(self, wanted: Wanted) -> PullRequest:
        """Open one, or return that which is there; errors as `find`."""
        title, body = wanted.title, wanted.body
        if self.provider is Provider.GITLAB:
            path = "merge_requests"
            given: dict[str, Any] = {
                "source_branch": wanted.head,
                "target_branch": wanted.base,
                "title": title,
                "description": body,
                "remove_source_branch": True,
            }
        else:
            path = "pulls"
            given = {
                "head": wanted.head,
                "base": wanted.base,
                "title": title,
                "body": body,
            }
        # 409 (GitLab, Gitea) and 422 (GitHub): there is one between these branches.
        made = self._asked(f"{self._place}/{path}", given, absent=(409, 422))
        if made is not None:
            return self._read(made)
        there = self.find(wanted.head, wanted.base)
        if there is None:
            raise TerminalError(
                f"{self._where} opens no pull request from {cut(wanted.head, 120)} to"
                f" {cut(wanted.base, 120)}: do they differ?",
                reason=REFUSED,
            )
        return there

    @property
    def _place(self) -> str:
        if self.provider is Provider.GITLAB:
            return f"{self.api}/projects/{quote(self.repository, safe='')}"
        return f"{self.api}/repos/{quote(self.repository)}"

    @property
    def _where(self) -> str:
        return f"{self.provider} {cut(self.repository, 120)} at {host_of(self.api)}"

    def _asked(
        self,
        url: str,
        given: Mapping[str, Any] | None = None,
        *,
        absent: int | tuple[int, ...] = (),
    ) -> Any:
        """Return the answer's JSON; None for a status that says that there is none."""
        headers: dict[str, str | Secret] = {"Accept": "application/json"}
        match self.provider:
            case Provider.GITHUB:
                headers["Accept"] = "application/vnd.github+json"
                headers["X-GitHub-Api-Version"] = "2022-11-28"
                headers["Authorization"] = Secret(f"Bearer {self.token.reveal()}")
            case Provider.GITLAB:
                headers["PRIVATE-TOKEN"] = self.token
            case Provider.GITEA:
                headers["Authorization"] = Secret(f"token {self.token.reveal()}")
        if given is not None:
            headers["Content-Type"] = "application/json"
        response = self.outbound.send(
            HttpRequest(
                method="GET" if given is None else "POST",
                url=url,
                headers=headers,
                body=b"" if given is None else json.dumps(given).encode(),
                timeout=TIMEOUT,
            )
        )
        if response.status in (absent if isinstance(absent, tuple) else (absent,)):
            return None
        text = redact(response.body.decode("utf-8", "replace"), [self.token])
        answer = Answer(status=response.status, headers=response.headers, text=text)
        verdict = judge_http(answer, self.now)
        if isinstance(verdict, RetryIn):
            raise TransientError(
                f"{self._where}: {verdict.detail}", retry_after=verdict.after
            )
        if isinstance(verdict, Refused):
            if _is_rate_limit(answer):
                raise TransientError(
                    f"{self._where}: {verdict.detail}",
                    retry_after=retry_after(answer.headers, self.now),
                )
            raise TerminalError(f"{self._where}: {verdict.detail}", reason=REFUSED)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise self._strange() from None

    def _read(self, found: Any) -> PullRequest:
        """Take what we need out of an answer."""
        try:
            if self.provider is Provider.GITLAB:
                number, url = found["iid"], found["web_url"]
                is_merged = found["state"] == "merged"
                is_open = found["state"] in {"opened", "locked"}
            else:
                number, url = found["number"], found["html_url"]
                is_merged = bool(found.get("merged_at"))
                is_open = found["state"] == "open"
        except (KeyError, TypeError, AttributeError):
            raise self._strange() from None
        if is_merged:
            state = PullState.MERGED
        else:
            state = PullState.OPEN if is_open else PullState.CLOSED
        return PullRequest(number=int(number), url=str(url), state=state)

    def _strange(self) -> TransientError:
        return TransientError(
            f"{self._where} answers as no {self.provider} does; is `url` the base of"
            " its API?"
        )


def default_api(provider: Provider, repository_url: str) -> str:
    """Return where the API of a repository's host is, by the providers' own rules."""
    host = urlsplit(repository_url).netloc.rpartition("@")[2]
    if "://" not in repository_url:  # user@host:path
        host = repository_url.partition(":")[0].rpartition("@")[2]
    elif not repository_url.startswith("http"):
        host = host.partition(":")[0]  # the port is that of ssh
    match provider:
        case Provider.GITHUB if host in {"github.com", "ssh.github.com"}:
            return "https://api.github.com"
        case Provider.GITHUB:
            return f"https://{host}/api/v3"
        case Provider.GITLAB:
            return f"https://{host}/api/v4"
        case Provider.GITEA:
            return f"https://{host}/api/v1"


def default_repository(repository_url: str) -> str:
    """Return ``owner/name`` of a repository's URL."""
    if "://" in repository_url:
        path = urlsplit(repository_url).path
    else:
        path = repository_url.partition(":")[2]
    return path.strip("/").removesuffix(".git")


def host_of(url: str) -> str:
    """Return the host of a base URL, for messages and grants."""
    return (urlsplit(url).hostname or "").casefold()


def _is_rate_limit(answer: Answer) -> bool:
    """Whether GitHub says 403 for too many requests, and not for missing rights."""
    headers = answer.headers
    is_spent = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    return answer.status == 403 and is_spent
