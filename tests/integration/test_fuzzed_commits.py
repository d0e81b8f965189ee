"""Whatever a commit holds, the daemon takes it in, says what is wrong, and goes on.

Commits are written by `git fast-import`, so that names, messages and paths are any bytes
that Git itself takes. `GITOPS_WF_FUZZ=1000` runs that many examples of each.
"""

import json
import os
import subprocess

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gitops_wf.core.config import DaemonConfig
from gitops_wf.services.query import Query
from tests.gitworktree import git_env, run_git
from tests.releases import APPROVAL_WORKFLOW, ReleaseLine
from tests.unit.definitions.test_fuzz import FILES, changed

EXAMPLES = int(os.environ.get("GITOPS_WF_FUZZ", "40"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="GITOPS_WF_FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
ENVIRONMENT = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\ncommits: latest\n"

TELLING = [
    b"\xff\xfe\xfd", b"\xf0\x9f\x9a\x80 to prod", b"\xe2\x80\xae gnp.tset", b"\x1b[31mred\x1b[0m",
    b"\x07\x08\r", b"a" * 5_000, b"\xed\xa0\x80", b"${{ revision.number }}", b"%s %(here)s {0}",
    b"<script>alert(1)</script>", b"'; DROP TABLE revision; --", b"\xc2\x85\xe2\x80\xa8", b" ", b"",
    b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----",
    b"Source-Commit: x@" + b"f" * 40, b"Source-Commit: \xff\n\nCo-authored-by: <>",
    b"Co-authored-by: \xff <\xff@x>\nCo-authored-by: Ann <ann@example.com>",
    b"This reverts commit " + b"0" * 40 + b".", b"This reverts commit \xff.",
]  # fmt: skip

messages = st.lists(
    st.sampled_from(TELLING) | st.binary(max_size=80), min_size=1, max_size=4
).map(lambda parts: b"\n\n".join(parts).replace(b"\0", b""))
names = (st.sampled_from(TELLING) | st.binary(max_size=40)).map(
    lambda name: b" ".join(name.translate(None, b"<>\0\n").split()) or b"x"
)
emails = names.map(lambda name: name.replace(b" ", b"") or b"x@y")
segments = (st.sampled_from(TELLING) | st.binary(min_size=1, max_size=30)).map(
    lambda name: b"p" + name.translate(None, b"\0/")[:200]
)
contents = st.sampled_from(sorted(FILES.values())) | st.binary(max_size=200)


@st.composite
def decisions(draw):
    """An approvals file of the environment, nearly right."""
    fields = {
        b"revision": draw(st.sampled_from([b"@", b"@7", b"ffffffff", b"1e10", b"''"])),
        b"step": draw(st.sampled_from([b"go-live", b"live", b"nothing", b"[]"])),
        b"decision": draw(
            st.sampled_from([b"approve", b"reject", b"retry", b"redeploy", b"abort"])
        ),
        b"by": draw(st.sampled_from([b"ann@example.com", b"\xff", b"'*'", b"~"])),
        b"comment": b'"' + draw(emails).translate(None, b'"\\') + b'"',
    }
    chosen = draw(st.sets(st.sampled_from(sorted(fields)), min_size=2))
    entry = b", ".join(name + b": " + fields[name] for name in sorted(chosen))
    return draw(changed(b"approvals:\n  - {" + entry + b"}\n", 0))


@st.composite
def commits(draw):
    """A commit: who, what it says, and the files that it writes."""
    files = {b"envs/web/note": draw(st.binary(max_size=20))}
    folder = b"envs/" + draw(st.just(b"web") | segments)
    kind = draw(st.sampled_from(["note", "control", "decide", "path"]))
    if kind == "control":
        name = draw(st.sampled_from(["environment.yaml", "workflow.yaml"]))
        files[folder + b"/" + name.encode()] = draw(changed(FILES[name], 0))
    elif kind == "decide":
        files[b"envs/web/approvals.yaml"] = draw(decisions())
    elif kind == "path":
        files[folder + b"/" + draw(segments) + b".yaml"] = draw(contents)
    return draw(names), draw(emails), draw(names), draw(emails), draw(messages), files


class Remote:
    """A daemon and the bare repository that fuzzed commits are written to."""

    def __init__(self, folder) -> None:
        self.line = ReleaseLine(folder)
        self.base = self.line.commit(
            {
                "envs/web/workflow.yaml": APPROVAL_WORKFLOW,
                "envs/web/environment.yaml": ENVIRONMENT,
                "envs/good/workflow.yaml": APPROVAL_WORKFLOW,
                "envs/good/environment.yaml": ENVIRONMENT,
            }
        )
        self.line.settle()
        self.count = 0

    def write(self, author, email, committer, committer_email, message, files) -> str:
        """Put a commit on the branch; a good environment changes with each."""
        self.count += 1
        at = 1_800_000_000 + self.count
        head = run_git(self.line.remote, "rev-parse", "main").encode()
        files = {**files, b"envs/good/note": str(self.count).encode()}
        stream = b"commit refs/heads/main\n"
        stream += b"author %s <%s> %d +0000\n" % (author, email, at)
        stream += b"committer %s <%s> %d +0000\n" % (committer, committer_email, at)
        stream += b"data %d\n%s\nfrom %s\n" % (len(message), message, head)
        for path, data in files.items():
            text = data.replace(b"@", head)
            stream += b"M 100644 inline %s\n" % _quoted(path)
            stream += b"data %d\n%s\n" % (len(text), text)
        subprocess.run(
            ["git", "fast-import", "--quiet", "--force"],
            cwd=self.line.remote,
            env=git_env(),
            input=stream,
            capture_output=True,
            check=True,
        )
        return run_git(self.line.remote, "rev-parse", "main")


def _quoted(path: bytes) -> bytes:
    return b'"' + b"".join(b"\\%03o" % byte for byte in path) + b'"'


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    made = Remote(tmp_path_factory.mktemp("fuzz"))
    yield made
    made.line.close()


def printable(text: str) -> bool:
    return all(char.isprintable() or char == "\n" for char in text)


@FUZZ
@given(st.lists(commits(), min_size=1, max_size=4))
@example(
    [
        (
            b"\xff",
            b"\xff",
            b"x",
            b"x@y",
            b"\xed\xa0\x80",
            {b"envs/web/\xff.yaml": b"\xff"},
        )
    ]
)
def test_any_commit_is_taken_in_and_what_is_wrong_is_said(remote, batch):
    line = remote.line
    for commit in batch:
        head = remote.write(*commit)

    line.settle()

    record = line.repository()
    assert record.cursor == head, record.condition
    assert printable(record.condition)
    newest = line.revisions("good")[-1]
    assert newest.commit == head
    # What is shown of it is one line of text that any terminal and store takes.
    config = DaemonConfig(
        path="", directory="", store="", instance="test", repositories=(), targets={}
    )
    query = Query(store=line.store, config=config)
    views = [*query.revisions(), *query.events(None, limit=50)]
    for view in views:
        json.dumps(view.as_json()).encode()
    shown = [
        text
        for revision in line.revisions("web")[-4:]
        for text in (revision.subject, revision.author, revision.message)
    ]
    with line.store.read() as reader:
        shown += [event.message for event in reader.events(limit=50)]
    assert [text for text in shown if not printable(text)] == []
    assert max(map(len, shown)) < 20_000
