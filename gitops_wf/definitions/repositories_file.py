"""The shape of `repositories` in the daemon config."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gitops_wf.core.errors import cut
from gitops_wf.core.links import COMMIT
from gitops_wf.definitions.fields import (
    Flag,
    Glob,
    Name,
    Part,
    PositiveSpan,
    Text,
    broken,
)

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:(?P<user>[^/@]*)@)?")
_SCP = re.compile(r"[\w.-]+@[\w.-]+:(?!:)")


def _url(value: str) -> str:
    found = _URL.match(value)
    if found is None:
        if ":" in value and not _SCP.match(value):
            raise broken(
                "repository-url",
                f"`{cut(value, 80)}` is neither a URL, nor user@host:path, nor a path",
            )
        return value
    if found["scheme"] not in {"https", "http", "ssh", "file"}:
        raise broken(
            "repository-url",
            f"`{cut(found['scheme'], 20)}` is not accepted: use https, ssh or file",
        )
    if found["user"] and (":" in found["user"] or found["scheme"] != "ssh"):
        raise broken(
            "repository-url",
            "holds credentials; put them into `secrets` and name that in `auth`",
        )
    return value


def _commit_url(value: str) -> str:
    if not value.startswith(("https://", "http://")) or COMMIT not in value:
        raise broken(
            "commit-url",
            f"`{cut(value, 80)}` leads to no commit: write"
            f" https://git.example.com/team/shop/commit/{COMMIT}",
        )
    return value


def _push(value: Any) -> Any:
    if isinstance(value, bool):
        return {} if value else None
    return value


class SecretName(Part):
    """A secret of this config."""

    name: Name = Field(description="A name under `secrets`.")


class AuthPart(Part):
    """How to open a repository."""

    type: Literal["basic", "bearer", "ssh"] = Field(description="Kind of credential.")
    username: Text = Field(default="", description="For basic, and for ssh.")
    secret_ref: SecretName = Field(description="The password, token or private key.")
    known_hosts: Text = Field(default="", description="File with ssh host keys.")
    prefix: Text = Field(
        default="", description="Send it only to URLs that begin so; default: the URL."
    )


class VerifyPart(Part):
    """How signatures of commits are checked."""

    allowed_signers: Text = Field(
        description="File as `ssh-keygen -Y verify` reads it."
    )


class PushPart(Part):
    """Who may let the daemon commit here, and as whom it does."""

    environments: tuple[Text, ...] = Field(
        default=(),
        description="Globs over repository/environment; default: those of this"
        " repository.",
    )
    name: Text = Field(
        default="gitops-wf", min_length=1, description="Author of the commits."
    )
    email: Text = Field(
        default="gitops-wf@localhost",
        min_length=1,
        description="Address of the author.",
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "boolean"}, handler(core_schema)]}


class RepositoryPart(Part):
    """A branch to watch, and which of its folders are environments."""

    url: Annotated[Text, AfterValidator(_url)] = Field(
        description="https, ssh, file, or a path."
    )
    branch: Text = Field(default="main", min_length=1, description="The branch.")
    interval: PositiveSpan = Field(
        default=timedelta(seconds=60), description="Time between polls."
    )
    environments: tuple[Glob, ...] = Field(
        default=("envs/*",),
        min_length=1,
        description="Patterns of folders; with ! those to leave out.",
    )
    implicit: Flag = Field(
        default=False, description="Whether folders without control files count, too."
    )
    targets: tuple[Name, ...] = Field(
        default=(), description="For environments that name none."
    )
    auth: AuthPart | None = Field(default=None, description="How to open it.")
    verify: VerifyPart | None = Field(
        default=None, description="How signatures are checked."
    )
    allow_http: Flag = Field(default=False, description="Accept http without TLS.")
    push: Annotated[PushPart | None, BeforeValidator(_push)] = Field(
        default=None,
        description="Whether the daemon may commit here, for steps that promote and"
        " for `onFailure: revert`; `true`, or who may. Default: it only reads.",
    )
    commit_url: Annotated[Text, AfterValidator(_commit_url)] = Field(
        default="",
        description="Where a commit is shown on the web, with {commit} in it. Known by"
        " itself of GitHub, GitLab, Gitea, Forgejo and Bitbucket.",
    )

    @model_validator(mode="after")
    def _no_plain_http(self) -> Self:
        if self.url.startswith("http://") and not self.allow_http:
            raise broken(
                "repository-url", "http is readable by others: use https, or allowHttp"
            )
        return self
