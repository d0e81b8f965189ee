"""The shape of approvals files, and the entries in them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from gitops_wf.core.decision import Entry, Verb
from gitops_wf.core.errors import cut
from gitops_wf.core.identifiers import StepName
from gitops_wf.definitions.fields import Count, Name, Part, Text, broken
from gitops_wf.definitions.policies import check_address
from gitops_wf.definitions.problems import Outcome, errors, line_at
from gitops_wf.definitions.shape import shaped
from gitops_wf.definitions.yaml_text import YamlMap

_SHA = re.compile(r"[0-9a-fA-F]{7,64}")
_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _sha(value: str) -> str:
    if not _SHA.fullmatch(value):
        raise broken(
            "revision-syntax",
            f"`{cut(value, 80)}` is no commit: write 7 to 40 hex digits of the"
            " revision's SHA, best all of them",
        )
    return value.lower()


def _digest(value: str) -> str:
    if not _DIGEST.fullmatch(value):
        raise broken(
            "digest-syntax",
            f"`{cut(value, 80)}` is no digest: copy the sha256 that `describe` prints",
        )
    return f"sha256:{value.removeprefix('sha256:')}"


def _instant(value: Any) -> Any:
    if not isinstance(value, str):
        value = getattr(value, "text", value)
    mend = "write an instant such as 2026-01-31T18:00:00Z, or a date"
    try:
        if _DATE.fullmatch(value):
            # A date is good until it has ended, in UTC.
            return datetime.fromisoformat(value).replace(tzinfo=UTC) + timedelta(days=1)
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError) as exc:
        raise broken("instant-syntax", f"`{cut(str(value), 64)}`: {mend}") from exc
    if instant.tzinfo is None:
        raise broken("instant-syntax", f"`{cut(value, 64)}` has no time zone: {mend}")
    return instant


class EntryPart(Part):
    """One decision about one revision."""

    revision: Annotated[
        Text,
        AfterValidator(_sha),
        # Not quoted, an editor may take it for a number; it is read as text.
        WithJsonSchema({"type": ["string", "number"]}),
    ] = Field(description="SHA of the revision's commit; quote it.")
    decision: Literal["approve", "reject", "retry", "redeploy", "abort"] = Field(
        description="What is decided."
    )
    step: Name | None = Field(
        default=None,
        description="The step; may be left out when only one can be meant.",
    )
    by: Annotated[Text, AfterValidator(check_address)] | None = Field(
        default=None, description="Must be the author of the commit that brings it."
    )
    run: Count | None = Field(default=None, description="Which run, if not the newest.")
    comment: Text = Field(default="", description="Why.")
    digest: Annotated[Text, AfterValidator(_digest)] | None = Field(
        default=None,
        description="Of an approval of a `suspend`: it counts only if a step before it"
        " has delivered just this, as `describe` prints it.",
    )
    expires: (
        Annotated[
            datetime,
            BeforeValidator(_instant),
            WithJsonSchema({"type": "string", "examples": ["2026-01-31T18:00:00Z"]}),
        ]
        | None
    ) = Field(default=None, description="It does not act after this.")

    def to_core(self, path: str, line: int) -> Entry:
        """The core's value."""
        return Entry(
            revision=self.revision,
            decision=Verb(self.decision),
            step=None if self.step is None else StepName(self.step),
            by=self.by or "",
            run=self.run,
            comment=self.comment,
            digest=self.digest or "",
            expires=self.expires,
            path=path,
            line=line,
        )


class ApprovalsFile(Part):
    """Decisions about revisions of one environment."""

    approvals: tuple[EntryPart, ...] | None = Field(
        description="The decisions; their order does not matter."
    )


def entries_of(value: Any, path: str) -> Outcome[tuple[Entry, ...]]:
    """The entries of a file: a list under `approvals`, or one entry by itself."""
    if isinstance(value, YamlMap) and "approvals" not in value and "revision" in value:
        entry, problems = shaped(EntryPart, value, path)
        if entry is None:
            return errors(problems)
        return (entry.to_core(path, value.line),)
    file, problems = shaped(ApprovalsFile, value, path)
    if file is None:
        return errors(problems)
    return tuple(
        entry.to_core(path, line_at(value, ("approvals", number)) or 1)
        for number, entry in enumerate(file.approvals or ())
    )
