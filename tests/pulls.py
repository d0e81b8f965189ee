"""GitHub, GitLab and Gitea as their documentation has them: the part for pull requests.

Sources: docs.github.com/rest/pulls, docs.gitlab.com/api/merge_requests,
docs.gitea.com/api. They judge tokens, refuse a second pull request between two
branches, and keep what they were asked.
"""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.receivers import HttpReceiver, Received, Reply

TOKEN = "f0rge-t0ken-of-the-daemon"


def _reply(status: int, body: Any) -> Reply:
    headers = {"Content-Type": "application/json"}
    return Reply(status=status, body=json.dumps(body).encode(), headers=headers)


@dataclass
class FakeForge:
    """One repository, ``acme/config``; `pulls` are dicts of our own, newest last."""

    kind: str
    receiver: HttpReceiver
    pulls: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.receiver.answer = self._answer

    @property
    def api(self) -> str:
        path = {"github": "", "gitlab": "/api/v4", "gitea": "/api/v1"}[self.kind]
        return f"{self.receiver.url}{path}"

    @property
    def opened(self) -> list[Received]:
        return [each for each in self.receiver.received if each.method == "POST"]

    def _answer(self, received: Received) -> Reply:
        sent = {
            "github": ("authorization", f"Bearer {TOKEN}"),
            "gitlab": ("private-token", TOKEN),
            "gitea": ("authorization", f"token {TOKEN}"),
        }[self.kind]
        if received.headers.get(sent[0]) != sent[1]:
            return _reply(401, {"message": "Bad credentials"})
        parts = urlsplit(received.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        return getattr(self, f"_{self.kind}")(received, parts.path, query)

    def _between(self, head: str, base: str) -> list[dict[str, Any]]:
        found = [p for p in self.pulls if (p["head"], p["base"]) == (head, base)]
        return found[::-1]

    def _opened(self, head: str, base: str, given: dict[str, Any]) -> dict[str, Any]:
        pull = {
            "number": len(self.pulls) + 1,
            "head": head,
            "base": base,
            "state": "open",
            "given": given,
        }
        self.pulls.append(pull)
        return pull

    def _github(self, received: Received, path: str, query: dict[str, str]) -> Reply:
        if path != "/repos/acme/config/pulls":
            return _reply(404, {"message": "Not Found"})
        if received.method == "GET":
            owner, _, head = query["head"].partition(":")
            assert (owner, query["state"]) == ("acme", "all")
            found = self._between(head, query["base"])
            return _reply(200, [self._as_github(pull) for pull in found])
        given = received.json
        if any(
            p["state"] == "open" for p in self._between(given["head"], given["base"])
        ):
            return _reply(422, {"message": "Validation Failed"})
        made = self._opened(given["head"], given["base"], given)
        return _reply(201, self._as_github(made))

    def _as_github(self, pull: dict[str, Any]) -> dict[str, Any]:
        is_merged = pull["state"] == "merged"
        return {
            "number": pull["number"],
            "html_url": f"https://forge.example/acme/config/pull/{pull['number']}",
            "state": "open" if pull["state"] == "open" else "closed",
            "merged_at": "2026-01-01T00:00:00Z" if is_merged else None,
        }

    def _gitlab(self, received: Received, path: str, query: dict[str, str]) -> Reply:
        if path != "/api/v4/projects/acme%2Fconfig/merge_requests":
            return _reply(404, {"message": "404 Project Not Found"})
        if received.method == "GET":
            found = self._between(query["source_branch"], query["target_branch"])
            return _reply(200, [self._as_gitlab(pull) for pull in found])
        given = received.json
        head, base = given["source_branch"], given["target_branch"]
        if any(p["state"] == "open" for p in self._between(head, base)):
            return _reply(409, {"message": ["Another open merge request exists"]})
        return _reply(201, self._as_gitlab(self._opened(head, base, given)))

    def _as_gitlab(self, pull: dict[str, Any]) -> dict[str, Any]:
        states = {"open": "opened", "merged": "merged", "closed": "closed"}
        return {
            "id": 900 + pull["number"],
            "iid": pull["number"],
            "web_url": f"https://forge.example/acme/config/pull/{pull['number']}",
            "state": states[pull["state"]],
        }

    def _gitea(self, received: Received, path: str, query: dict[str, str]) -> Reply:
        place = "/api/v1/repos/acme/config/pulls"
        if received.method == "GET":
            base, _, head = path.removeprefix(f"{place}/").partition("/")
            found = self._between(head, unquote(base))
            if not found:
                return _reply(404, {"message": "not found"})
            return _reply(200, self._as_github(found[0]))
        if path != place:
            return _reply(404, {"message": "not found"})
        given = received.json
        if any(
            p["state"] == "open" for p in self._between(given["head"], given["base"])
        ):
            return _reply(409, {"message": "pull request already exists"})
        made = self._opened(given["head"], given["base"], given)
        return _reply(201, self._as_github(made))
