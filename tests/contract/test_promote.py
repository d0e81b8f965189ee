"""promote on real Git remotes, with forges that answer as their documentation says."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from gitops_wf.adapters.address_guard import AddressGuard
from gitops_wf.adapters.git_cli import PushingRepository
from gitops_wf.adapters.http_outbound import HttpOutbound
from gitops_wf.core.addresses import AddressPolicy
from gitops_wf.core.commit import Person
from gitops_wf.core.config import PushConfig, RepositoryConfig
from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.identifiers import EnvironmentName, StepName
from gitops_wf.core.phases import Phase
from gitops_wf.definitions.reader import DefinitionReader
from gitops_wf.ports.git import Remote
from gitops_wf.services.content import RepositoryContent
from gitops_wf.services.pushing import Pushing
from gitops_wf.services.watched import Watched
from gitops_wf.steps.promote import STEP_TYPE
from tests.contract.git_remotes import served
from tests.gitserver import BOB, GitWorkTree, run_git
from tests.pulls import TOKEN, FakeForge
from tests.receivers import Reply, http_receiver
from tests.steps import FakeSecrets, a_context, capabilities

FILES = {
    "envs/staging/environment.yaml": "kind: Environment\n",
    "envs/staging/approvals.yaml": "approvals: []\n",
    "envs/staging/web.yaml": "image: web:2\n",
    "envs/staging/conf/a.yaml": "a: 2\n",
    "envs/prod/environment.yaml": "kind: Environment\ntargets: [eu]\n",
    "envs/prod/approvals.yaml": "approvals: []  # of prod\n",
    "envs/prod/web.yaml": "# prod\nimage: web:1   # keep\nreplicas: 9\n",
    "envs/prod/conf/old.yaml": "old: 1\n",
}


@dataclass
class Shop:
    """A repository with staging and prod, and the daemon's way to it."""

    bare: Path
    work: GitWorkTree
    remote: Remote
    directory: Path
    commit: str = ""
    grant: PushConfig | None = None
    woken: int = 0

    def __post_init__(self) -> None:
        self.grant = PushConfig(name="Deployer", email="deployer@example.com")
        self.commit = self.work.push_commit(FILES, "Raise web to 2")
        self.repository = PushingRepository(self.directory / "clone", self.remote)
        self.secrets = FakeSecrets({"forge/token": TOKEN}, host="127.0.0.1")

    def capabilities(self, *, may_commit=True):
        config = RepositoryConfig(name="shop", url=self.remote.url, push=self.grant)
        person = Person(name="Deployer", email="deployer@example.com")
        watched = Watched(
            config=config,
            git=self.repository,
            open_writer=(
                lambda at: self.repository.writer(person, at, pushed=self.wake)
            )
            if may_commit
            else None,
        )
        both = {"shop": watched}
        definitions = DefinitionReader(None, None)
        return capabilities(
            content=RepositoryContent(both),
            writers=Pushing(both, definitions.is_environment_folder),
            outbound=HttpOutbound(AddressGuard(AddressPolicy())),
            secrets=replace_grant(self.secrets),
        )

    def wake(self):
        self.woken += 1

    def context(self, properties, **more):
        properties = {"folder": "envs/prod"} | properties
        context = a_context(STEP_TYPE, properties, step=StepName("to-prod"))
        subject = replace(
            context.subject,
            environment="shop/staging",
            commit=self.commit,
            branch="main",
        )
        environment = Environment(
            name=EnvironmentName("staging"), folder="envs/staging"
        )
        more = {"subject": subject, "environment": environment} | more
        return replace(context, **more)

    def promote(self, more=None, **properties):
        self.repository.fetch()
        runner = STEP_TYPE.make(self.capabilities())
        return runner.attempt(self.context(properties, **(more or {})))

    def plan(self, **properties):
        """What a promotion would do, as a plan has it that has no way to commit."""
        self.repository.fetch()
        runner = STEP_TYPE.make(self.capabilities(may_commit=False))
        return runner.plan(self.context(properties))

    def at(self, path, rev="main"):
        return run_git(self.bare, "show", f"{rev}:{path}")

    def log(self, form, rev="main"):
        return run_git(self.bare, "log", "-1", f"--format={form}", rev)

    def count(self, rev="main"):
        return int(run_git(self.bare, "rev-list", "--count", rev))


def by_path(line):
    return line.split("\t")[1]


def replace_grant(secrets):
    """Grant to staging what the fake grants to prod."""

    class Granted:
        def resolve(self, ref, *, environment):
            assert environment == "shop/staging"
            return secrets.resolve(ref, environment="shop/prod")

        def may_be_sent_to(self, ref, host):
            return secrets.may_be_sent_to(ref, host)

    return Granted()


@pytest.fixture
def shop(tmp_path):
    with served(tmp_path, "path") as place:
        made = Shop(place.bare, place.work, place.remote(), tmp_path)
        yield made
        made.repository.close()


@pytest.fixture(params=["github", "gitlab", "gitea"])
def forge(request):
    with http_receiver() as receiver:
        yield FakeForge(request.param, receiver)


def pull(forge, **more):
    return {
        "mode": "pullRequest",
        "pullRequest": {
            "provider": forge.kind,
            "url": forge.api,
            "repository": "acme/config",
            "token": {"secretRef": {"name": "forge", "key": "token"}},
            **more,
        },
    }


@pytest.mark.parametrize("transport", ["file", "http", "ssh"])
def test_the_content_is_pushed_by_every_transport(tmp_path, transport):
    with served(tmp_path, transport) as place:
        shop = Shop(place.bare, place.work, place.remote(), tmp_path)

        result = shop.promote()

        assert result.phase is Phase.SUCCEEDED
        assert shop.at("envs/prod/web.yaml") == "image: web:2"
        shop.repository.close()


def test_all_content_becomes_as_here_but_decisions_and_definitions(shop):
    result = shop.promote()

    changed = run_git(shop.bare, "diff", "--name-status", "main~1", "main")
    assert changed.split() == [
        *("A", "envs/prod/conf/a.yaml"),
        *("D", "envs/prod/conf/old.yaml"),
        *("M", "envs/prod/web.yaml"),
    ]
    assert shop.at("envs/prod/approvals.yaml") == "approvals: []  # of prod"
    assert result.outputs["commit"] == run_git(shop.bare, "rev-parse", "main")
    assert result.outputs["branch"] == "main"


def test_the_commit_says_where_it_came_from_and_whose_work_it_is(shop):
    shop.promote()

    assert shop.log("%an %ae %cn") == "Deployer deployer@example.com Deployer"
    assert shop.log("%s") == "Promote shop/staging#12 to envs/prod"
    assert "- Raise web to 2 (" in shop.log("%b")
    assert shop.log("%(trailers:key=Promoted-From,valueonly)").strip() == (
        f"shop/staging#12 main@sha1:{shop.commit}"
    )
    assert shop.log("%(trailers:key=Co-authored-by,valueonly)").strip() == (
        "Ann <ann@example.com>"
    )


def test_a_push_that_was_taken_is_told_so_that_the_branch_is_polled(shop):
    shop.promote()
    assert shop.woken == 1

    shop.promote()
    assert shop.woken == 1


def test_all_who_wrote_since_the_promotion_before_are_co_authors(shop):
    shop.promote()
    shop.work.pull()
    shop.work.commit({"envs/staging/web.yaml": "image: web:3\n"}, "Three", author=BOB)
    shop.commit = shop.work.push_commit({"envs/staging/b.yaml": "b: 1\n"}, "Four")

    shop.promote()

    people = shop.log("%(trailers:key=Co-authored-by,valueonly)").split("\n")
    assert [person for person in people if person] == ["Ann <ann@example.com>", BOB]
    assert "Raise web to 2" not in shop.log("%b")


def test_at_a_first_promotion_all_who_wrote_what_comes_are_co_authors(shop):
    shop.work.commit({"envs/staging/web.yaml": "image: web:3\n"}, "Three", author=BOB)
    shop.commit = shop.work.push_commit({"envs/staging/b.yaml": "b: 1\n"}, "Four")
    shop.promote(folder="envs/prod-us")  # whose name begins like the other's

    shop.promote()

    people = shop.log("%(trailers:key=Co-authored-by,valueonly)").split("\n")
    assert [person for person in people if person] == ["Ann <ann@example.com>", BOB]
    assert "- Raise web to 2 (" in shop.log("%b")


def test_a_repeated_attempt_makes_no_second_commit(shop):
    """It died between the push and the record."""
    first = shop.promote()
    shop.work.pull()
    shop.work.push_commit({"envs/prod/web.yaml": "image: web:1\n"}, "No, back")

    again = shop.promote()

    assert again.phase is Phase.SUCCEEDED
    assert again.outputs["commit"] == first.outputs["commit"]
    assert "was promoted before" in again.message
    assert shop.at("envs/prod/web.yaml") == "image: web:1"


def test_the_commit_is_the_same_whoever_makes_it(shop):
    first = shop.promote()
    run_git(shop.bare, "update-ref", "refs/heads/main", shop.commit)

    again = shop.promote()

    assert again.outputs["commit"] == first.outputs["commit"]


def test_another_run_of_the_same_revision_promotes_again(shop):
    shop.promote()
    shop.work.pull()
    shop.work.push_commit({"envs/prod/web.yaml": "image: web:1\n"}, "No, back")

    again = shop.promote({"run_ordinal": 2})

    assert "promoted to" in again.message
    assert shop.at("envs/prod/web.yaml") == "image: web:2"


def test_where_nothing_differs_nothing_is_committed(shop):
    shop.promote()
    count = shop.count()

    result = shop.promote({"run_ordinal": 2})

    assert result.phase is Phase.SUCCEEDED
    assert result.message == "shop:envs/prod is so already: nothing to promote"
    assert (result.outputs["commit"], shop.count()) == ("", count)


def test_paths_choose_files_and_folders(shop):
    shop.promote(paths=["conf"])

    assert shop.at("envs/prod/conf/a.yaml") == "a: 2"
    assert "conf/old.yaml" not in run_git(shop.bare, "ls-tree", "-r", "main")
    assert shop.at("envs/prod/web.yaml").startswith("# prod")


def test_a_definition_is_promoted_only_where_it_is_named(shop):
    shop.promote(paths=["environment.yaml"])

    assert shop.at("envs/prod/environment.yaml") == "kind: Environment"


@pytest.mark.parametrize("path", ["approvals.yaml", "nothing.yaml"])
def test_decisions_and_what_is_not_there_cannot_be_promoted(shop, path):
    with pytest.raises(TerminalError, match=r"has no .* that can be promoted"):
        shop.promote(paths=[path])


def test_one_value_is_set_and_comments_stay(shop):
    shop.promote(values=[{"file": "web.yaml", "pointer": "/image"}])

    assert shop.at("envs/prod/web.yaml") == (
        "# prod\nimage: web:2   # keep\nreplicas: 9"
    )


def test_a_value_may_come_from_elsewhere_or_be_given(shop):
    shop.promote(
        values=[
            {
                "file": "web.yaml",
                "pointer": "/replicas",
                "from": {"file": "conf/a.yaml", "pointer": "/a"},
            },
            {"file": "web.yaml", "pointer": "/image", "value": "web:7"},
        ]
    )

    assert shop.at("envs/prod/web.yaml") == (
        "# prod\nimage: web:7   # keep\nreplicas: 2"
    )


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"file": "web.yaml", "pointer": "/nothing", "value": 1}, "has no field"),
        ({"file": "none.yaml", "pointer": "/a", "value": 1}, "is not there"),
    ],
)
def test_a_value_that_cannot_be_set_fails_with_its_file(shop, value, says):
    result = shop.promote(values=[value])

    assert (result.phase, result.reason) == (Phase.FAILED, "InvalidDefinition")
    assert result.message.startswith(f"envs/prod/{value['file']}")
    assert says in result.message


def test_no_value_is_set_in_a_file_with_decisions(shop):
    with pytest.raises(TerminalError, match="holds decisions"):
        shop.promote(
            values=[{"file": "approvals.yaml", "pointer": "/approvals", "value": 1}]
        )


def test_a_push_that_comes_second_is_written_again_on_what_came_first(shop):
    raced = []

    class Raced(PushingRepository):
        def push(self, sha, branch):
            if not raced:
                raced.append(shop.work.push_commit({"envs/prod/new.yaml": "n: 1\n"}))
            return super().push(sha, branch)

    shop.repository.close()
    shop.repository = Raced(shop.directory / "clone", shop.remote)

    result = shop.promote(paths=["web.yaml"])

    assert result.phase is Phase.SUCCEEDED
    assert shop.at("envs/prod/new.yaml") == "n: 1"
    assert shop.at("envs/prod/web.yaml") == "image: web:2"
    assert run_git(shop.bare, "rev-parse", "main~1") == raced[0]


def test_who_is_always_second_tries_again_later(shop):
    class Raced(PushingRepository):
        def push(self, sha, branch):
            shop.work.push_commit({"other": str(shop.work.clock)})
            return super().push(sha, branch)

    shop.repository.close()
    shop.repository = Raced(shop.directory / "clone", shop.remote)

    with pytest.raises(TransientError, match="others pushed first 5 times"):
        shop.promote()


def test_a_push_that_the_remote_forbids_fails_with_its_words(shop):
    hook = shop.bare / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n")
    hook.chmod(0o755)

    with pytest.raises(TerminalError, match=r"refused the push: .*declined") as caught:
        shop.promote()

    assert caught.value.reason == "PushRejected"


def test_content_does_not_go_back_to_where_it_came_from(shop):
    shop.promote()
    back = {
        "subject": replace(
            shop.context({}).subject,
            environment="shop/prod",
            commit=run_git(shop.bare, "rev-parse", "main"),
        ),
        "environment": Environment(name=EnvironmentName("prod"), folder="envs/prod"),
    }

    with pytest.raises(TerminalError, match="would go on for ever") as caught:
        shop.promote(back, folder="envs/staging")

    assert caught.value.reason == "PromotionLoop"


@pytest.mark.parametrize(
    ("grant", "properties", "says"),
    [
        (None, {}, "is only read: `push: true`"),
        (PushConfig(environments=("shop/dev",)), {}, "do not name it"),
        (PushConfig(), {"folder": ".github"}, "is none that the environments"),
        (PushConfig(), {"folder": "envs/staging"}, "this environment's own"),
        (PushConfig(), {"repository": "other"}, "is not in the daemon config"),
    ],
)
def test_nothing_is_committed_that_the_config_does_not_allow(
    shop, grant, properties, says
):
    shop.grant = grant
    before = shop.count()

    with pytest.raises(TerminalError, match=says):
        shop.promote(**properties)

    assert shop.count() == before


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"paths": ["web.yaml"]},
        {"values": [{"file": "web.yaml", "pointer": "/image", "value": "nginx:9"}]},
    ],
)
def test_a_plan_names_the_files_that_are_then_committed(shop, properties):
    before = shop.count()

    (told,) = shop.plan(**properties).effects

    assert shop.count() == before
    shop.promote(**properties)
    done = run_git(shop.bare, "show", "--format=", "--name-status", "main").split("\n")
    names = [
        path + " deleted" * (status == "D")
        for status, path in (line.split("\t") for line in sorted(done, key=by_path))
    ]
    assert told == f"pushes to main of shop: {', '.join(names)}"
    shop.commit = run_git(shop.bare, "rev-parse", "main")
    assert shop.plan(**properties).effects == (
        "shop:envs/prod is so already: nothing to promote",
    )


def test_a_plan_tells_a_pull_request_and_needs_no_token(shop):
    asked = {"provider": "github", "token": {"secretRef": {"name": "none"}}}

    (told,) = shop.plan(mode="pullRequest", pullRequest=asked).effects

    assert told.startswith("opens a pull request (github) to main of shop: envs/prod/")


def test_a_plan_fails_where_the_config_does_not_allow_the_promotion(shop):
    shop.grant = None

    with pytest.raises(TerminalError, match="is only read: `push: true`"):
        shop.plan()


def test_a_plan_tells_a_field_that_cannot_be_set(shop):
    wish = {"file": "web.yaml", "pointer": "/nowhere/at/all", "value": 1}

    assert shop.plan(values=[wish]).reason == "InvalidDefinition"


def test_a_pull_request_is_opened_from_a_branch_of_its_own(shop, forge):
    result = shop.promote(**pull(forge, title="To prod", body="Please"))

    [opened] = forge.pulls
    branch = result.outputs["branch"]
    assert (opened["head"], opened["base"]) == (branch, "main")
    assert branch.startswith("gitops-wf/shop.staging-")
    assert opened["given"]["title"] == "To prod"
    assert "Please" in opened["given"].values()
    assert shop.at("envs/prod/web.yaml", branch) == "image: web:2"
    assert shop.at("envs/prod/web.yaml").startswith("# prod")
    assert result.phase is Phase.SUCCEEDED
    assert result.outputs["number"] == 1
    assert result.outputs["url"] == "https://forge.example/acme/config/pull/1"
    assert result.outputs["state"] == "open"
    assert TOKEN not in repr(result)


def test_a_repeated_attempt_opens_no_second_pull_request(shop, forge):
    first = shop.promote(**pull(forge))
    again = shop.promote(**pull(forge))

    assert len(forge.opened) == len(forge.pulls) == 1
    assert again.outputs["url"] == first.outputs["url"]


def test_a_branch_that_was_pushed_before_the_crash_is_used(shop, forge):
    forge.receiver.answer, answer = (
        lambda got: answer(got) if got.method == "GET" else Reply(hangs_up=True),
        forge.receiver.answer,
    )
    with pytest.raises(TransientError):
        shop.promote(**pull(forge))
    heads = run_git(shop.bare, "for-each-ref", "--format=%(objectname)", "refs/heads")
    forge.receiver.answer = answer

    result = shop.promote(**pull(forge))

    assert result.outputs["number"] == 1
    assert (
        run_git(shop.bare, "for-each-ref", "--format=%(objectname)", "refs/heads")
        == heads
    )
    assert result.outputs["commit"] in heads


def test_a_pull_request_may_be_waited_for(shop, forge):
    properties = pull(forge, waitForMerge=True)
    first = shop.promote(**properties)
    look = shop.context(properties, look=1, memo=first.memo)
    runner = STEP_TYPE.make(shop.capabilities())

    waiting = runner.look(look)
    forge.pulls[0]["state"] = "merged"
    merged = runner.look(look)

    assert (first.phase, waiting.phase) == (Phase.RUNNING, Phase.RUNNING)
    assert waiting.retry_after > timedelta(0)
    assert (merged.phase, merged.outputs["state"]) == (Phase.SUCCEEDED, "merged")


def test_a_pull_request_that_was_closed_fails_the_step(shop, forge):
    shop.promote(**pull(forge))
    forge.pulls[0]["state"] = "closed"

    again = shop.promote(**pull(forge))

    assert (again.phase, again.reason) == (Phase.FAILED, "PullRequestClosed")
    assert len(forge.opened) == 1


def test_a_branch_of_somebody_else_is_not_used(shop, forge):
    first = shop.promote(**pull(forge))
    forge.pulls.clear()
    run_git(
        shop.bare, "update-ref", f"refs/heads/{first.outputs['branch']}", shop.commit
    )

    with pytest.raises(TerminalError, match="is there, and not ours") as caught:
        shop.promote(**pull(forge))

    assert caught.value.reason == "BranchTaken"


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, TerminalError), (404, TerminalError), (502, TransientError)],
)
def test_a_forge_that_says_no_is_quoted(shop, forge, status, error):
    body = f'{{"message": "no, {TOKEN}"}}'.encode()
    # At Gitea 404 is also the answer to which pull request there is: none yet.
    forge.receiver.answer = lambda _: Reply(status=status, body=body)

    with pytest.raises(
        error, match=f"{forge.kind} acme/config at .*HTTP {status}"
    ) as caught:
        shop.promote(**pull(forge))

    assert TOKEN not in str(caught.value)


def test_an_answer_that_is_no_forges_is_said_to_be_none(shop, forge):
    forge.receiver.answer = lambda _: Reply(body=b"<html>welcome</html>")

    with pytest.raises(TransientError, match="is `url` the base of its API"):
        shop.promote(**pull(forge))


def test_the_token_goes_to_no_other_host(shop, forge):
    shop.secrets = FakeSecrets({"forge/token": TOKEN}, host="api.github.com")

    with pytest.raises(TerminalError, match="may not be sent to"):
        shop.promote(**pull(forge))

    assert forge.receiver.received == []


def test_the_clone_of_the_next_poll_is_not_moved_ahead(shop):
    shop.repository.fetch()
    before = shop.repository.head()
    shop.work.push_commit({"other": "1"})
    runner = STEP_TYPE.make(shop.capabilities())

    runner.attempt(shop.context({}))

    assert shop.repository.head() == before
