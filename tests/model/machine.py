"""Random sequences of what people, machines and time do to a release line."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.model.driver import Pair
from tests.model.words import FLOWS, Commit, Content, Entry, Folder, Rules, Tree

ANN, BOB, CAROL = "ann@example.com", "bob@example.com", "carol@example.com"
DAVE, BOT = "dave@example.com", "release[bot]@example.com"
NAMES = ("prod", "staging")

people = st.sampled_from([ANN, BOB, CAROL, DAVE, BOT])
approvers = st.sampled_from([ANN, ANN, BOB, CAROL])
names = st.sampled_from(NAMES)
files = st.sampled_from(["approvals.yaml", "approvals/ann.yaml", "approvals/bob.yaml"])
few = st.integers(0, 3)
policies = st.sampled_from(["every", "every", "latest", "strict"])
rules = st.builds(
    Rules,
    approvers=st.sampled_from([None, (ANN, BOB, CAROL)]),
    needed=st.sampled_from([1, 1, 2]),
    gate=st.sampled_from([(ANN, BOB), (ANN, BOB), None]),
    gate_needed=st.sampled_from([1, 2]),
    gate_waives_rollbacks=st.booleans(),
)
spans = st.sampled_from(
    [timedelta(seconds=s) for s in (7, 31)]
    + [timedelta(minutes=m) for m in (5, 11, 31)]
    + [timedelta(hours=h) for h in (2, 73)]
)
then = st.sampled_from(["settle"] * 4 + ["poll", "push", "later"])
"""What follows a commit: it is seen and carried out at once, or not yet."""
deaths = st.tuples(st.integers(0, 5), st.sampled_from(["before", "after"]))

Change = Callable[[Content], Content]


def setting(**values: object) -> Change:
    return lambda content: replace(content, **values)


changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(lambda n: setting(value=n), few),
    st.builds(lambda n: setting(value=n), few),
    st.builds(lambda f: setting(flow=f), st.sampled_from(sorted(FLOWS))),
    st.builds(
        lambda o: setting(outcome=o),
        st.sampled_from(["ok", "fail", "flaky", "slow", "hang"]),
    ),
    st.builds(
        lambda c, m: setting(commits=c, most=m), policies, st.sampled_from([1, 10])
    ),
    st.builds(lambda on: setting(invalid=on), st.booleans()),
    st.just(setting(invalid=False, outcome="ok")),
)


def merged(base: Tree, mine: Tree, theirs: Tree) -> Tree:
    """As `git merge -X theirs` by parts: what they changed, else what I have."""
    found = {}
    for name in {*mine, *theirs}:
        old, one, two = base.get(name), mine.get(name), theirs.get(name)
        if one is None or two is None or old is None:
            kept = two if two != old else one
            if kept is not None:
                found[name] = kept
            continue
        pick = lambda part: (  # noqa: E731 # one expression of its arguments
            getattr(two, part)  # noqa: B023 # used at once
            if getattr(two, part) != getattr(old, part)  # noqa: B023
            else getattr(one, part)  # noqa: B023
        )
        approvals = {}
        for file in {*one.approvals, *two.approvals}:
            before = old.approvals.get(file, ())
            a, b = one.approvals.get(file, ()), two.approvals.get(file, ())
            entries = b if b != before else a
            if a and b and a != before and b not in (before, a):
                entries = (*a, *(e for e in b if e not in a))
            if entries != ():
                approvals[file] = entries
        found[name] = Folder(pick("content"), pick("docs"), pick("moved"), approvals)
    return found


class Releases(RuleBasedStateMachine):
    """A branch with side branches, a daemon that polls it, and the model beside."""

    @initialize(
        rules=rules,
        flow=st.sampled_from(sorted(FLOWS)),
        after=st.booleans(),
        policy=policies,
    )
    def begin(self, rules: Rules, flow: str, after: bool, policy: str) -> None:
        self.place = Path(mkdtemp(prefix="model-"))
        self.pair = Pair(self.place / "line", rules)
        content = Content(flow=flow, commits=policy)
        tree = {"prod": Folder(content)}
        if after:
            follows = replace(content, after="staging", soak=timedelta(minutes=30))
            tree = {"prod": Folder(follows), "staging": Folder(Content())}
        self.base = self.pair.writer.commit((), ANN, tree).sha
        self.main = self.base
        self.side: str | None = None
        self.pair.push(self.main)
        self.pair.poll()

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.pair.close()
            shutil.rmtree(self.place)

    # --- commits ---

    def tip(self, side: bool) -> Commit:
        sha = self.side if side and self.side else self.main
        return self.pair.writer.history[sha]

    def commit(self, side: bool, author: str, tree: Tree, *more: str) -> None:
        tip = self.tip(side)
        sha = self.pair.writer.commit((tip.sha, *more), author, tree).sha
        if side and self.side:
            self.side = sha
        else:
            self.main = sha

    def edit(
        self, side: bool, author: str, name: str, act: Callable[[Folder], Folder | None]
    ) -> None:
        """Commit a change of one folder, if there is one and it changes."""
        tree = dict(self.tip(side).tree)
        if name not in tree:
            name = "prod" if "prod" in tree else next(iter(tree), name)
        if name not in tree:
            return
        folder = act(tree.pop(name))
        if folder is not None:
            tree[name] = folder
        self.commit(side, author, tree)

    def follow_up(self, then: str) -> None:
        if then != "later":
            self.pair.push(self.main)
        if then in ("settle", "poll"):
            self.pair.poll()
        if then == "settle":
            self.pair.work()

    @rule(name=names, change=changes, author=approvers, side=st.booleans(), then=then)
    def change(
        self, name: str, change: Change, author: str, side: bool, then: str
    ) -> None:
        self.edit(side, author, name, lambda f: replace(f, content=change(f.content)))
        self.follow_up(then)

    @rule(
        name=names,
        soak=st.sampled_from([0, 30]),
        what=st.sampled_from(["follow", "lead", "docs", "move", "remove", "remove"]),
    )
    def change_otherwise(self, name: str, soak: int, what: str) -> None:
        """Order the environments, change what is no input, move or remove a folder."""

        def act(folder: Folder) -> Folder | None:
            if what == "docs":
                return replace(folder, docs=folder.docs + 1)
            if what == "move":
                return replace(folder, moved=not folder.moved)
            if what == "remove":
                return None
            after = "staging" if what == "follow" and name == "prod" else ""
            span = timedelta(minutes=soak if after else 0)
            return replace(
                folder, content=replace(folder.content, after=after, soak=span)
            )

        if name in self.tip(False).tree:
            self.edit(False, ANN, name, act)

    @rule(name=names, back=st.integers(1, 4), author=approvers, then=then)
    def put_back(self, name: str, back: int, author: str, then: str) -> None:
        """As `git checkout OLD -- FOLDER`: a rollback, or a folder that returns."""
        tree = {**self.tip(False).tree}
        old = [c.tree[name] for c in self.line() if name in c.tree] or [Folder()]
        folder = old[min(back, len(old) - 1)]
        if name in tree:
            folder = replace(tree[name], content=folder.content)
        self.commit(False, author, {**tree, name: folder})
        self.follow_up(then)

    @rule(back=few, author=approvers, then=then)
    def revert(self, back: int, author: str, then: str) -> None:
        """As `git revert -m 1`: what a commit did, undone; decisions, too."""
        line = [c for c in self.line() if c.parents]
        if line:
            commit = line[min(back, len(line) - 1)]
            before = self.pair.writer.history[commit.parents[0]].tree
            tree = merged(commit.tree, self.tip(False).tree, before)
            self.commit(False, author, tree)
            self.follow_up(then)

    def line(self) -> list[Commit]:
        """The first parents of the branch, newest first."""
        found, at = [], self.main
        while True:
            found.append(self.pair.writer.history[at])
            if not found[-1].parents:
                return found
            at = found[-1].parents[0]

    # --- decisions ---

    @rule(
        newest=st.booleans(),
        person=approvers,
        file=files,
        side=st.booleans(),
        expires=st.sampled_from([0, 0, 0, 7]),
        then=then,
    )
    def approve(
        self, newest: bool, person: str, file: str, side: bool, expires: int, then: str
    ) -> None:
        """Approve what waits for it, if anything does."""
        waiting = [
            (environment.name, revision, state.step.name)
            for environment in self.pair.model.environments.values()
            for revision in environment.unfinished
            for run in revision.runs[-1:]
            for state in run.steps
            if state.waits
        ]
        if waiting:
            name, revision, step = waiting[-1 if newest else 0]
            soon = self.pair.model.now + timedelta(minutes=expires)
            entry = Entry(
                revision.commit,
                step=step,
                run=len(revision.runs) if len(revision.runs) > 1 else None,
                expires=soon if expires else None,
            )
            self.write(side, person, name, file, entry)
            self.follow_up(then)

    @rule(
        name=names,
        person=people,
        verb=st.sampled_from(
            ["approve"] * 4 + ["reject", "abort"] + ["retry", "redeploy"] * 2
        ),
        which=st.sampled_from([0, 1, 0, 1, 2, 3]),
        named=st.booleans(),
        file=files,
        side=st.booleans(),
        odd=st.sampled_from([""] * 8 + ["short", "by", "other", "run", "late"]),
        then=then,
    )
    def decide(
        self,
        name: str,
        person: str,
        verb: str,
        which: int,
        named: bool,
        file: str,
        side: bool,
        odd: str,
        then: str,
    ) -> None:
        """Any decision of anybody, at any time."""
        known = self.pair.model.environments.get(name)
        if known is None or not known.revisions:
            return
        revision = known.revisions[-1 - min(which // 2, len(known.revisions) - 1)]
        steps = [s.name for s in revision.flow if s.asks or s.name == "into"]
        step = (
            steps[which % len(steps)] if named and steps and verb == "approve" else ""
        )
        entry = Entry(revision.commit, verb, step)
        odd_entry = {
            "short": replace(entry, revision=entry.revision[:9]),
            "by": replace(entry, by=person),
            "other": replace(entry, by=ANN),
            "run": replace(entry, run=len(revision.runs) or 1),
            "late": replace(entry, expires=self.pair.model.now),
        }
        self.write(side, person, name, file, odd_entry.get(odd, entry))
        self.follow_up(then)

    def write(
        self, side: bool, person: str, name: str, file: str, entry: Entry
    ) -> None:
        def added(folder: Folder) -> Folder:
            before = folder.approvals.get(file) or ()
            if entry in before:
                return folder
            return replace(
                folder, approvals={**folder.approvals, file: (*before, entry)}
            )

        self.edit(side, person, name, added)

    @rule(
        name=names,
        what=st.sampled_from(["remove", "move", "comment", "break", "bring back"]),
        file=files,
        to=files,
        person=approvers,
        side=st.booleans(),
        back=few,
        then=then,
    )
    def rewrite_decisions(
        self,
        name: str,
        what: str,
        file: str,
        to: str,
        person: str,
        side: bool,
        back: int,
        then: str,
    ) -> None:
        """What is done to approvals files and is no decision.

        Whoever mends a file, or restores a removed line, takes it from history.
        """
        old = [
            c.tree[name].approvals
            for c in reversed(self.pair.writer.history.values())
            if name in c.tree and c.tree[name].entries
        ]

        def act(folder: Folder) -> Folder:
            if what == "bring back" and old:
                return replace(folder, approvals=old[min(back, len(old) - 1)])
            if what == "break":
                return replace(folder, approvals={**folder.approvals, file: None})
            entries = folder.approvals.get(file)
            if not entries:
                return folder
            rest = {k: v for k, v in folder.approvals.items() if k != file}
            if what == "comment":
                first = replace(entries[0], comment=f"{entries[0].comment}x")
                rest[file] = (first, *entries[1:])
            if what == "move":
                there = rest.get(to) or ()
                rest[to] = (*there, *(e for e in entries if e not in there))
            return replace(folder, approvals=rest)

        self.edit(side, person, name, act)
        self.follow_up(then)

    # --- branches and pushes ---

    @precondition(lambda self: self.side is None)
    @rule(back=st.integers(0, 1))
    def branch(self, back: int) -> None:
        line = self.line()
        self.side = line[min(back, len(line) - 1)].sha

    @precondition(lambda self: self.side is not None)
    @rule(swapped=st.booleans(), author=approvers, then=then)
    def merge(self, swapped: bool, author: str, then: str) -> None:
        """Merge the side branch; swapped: as who pulls, merges and pushes."""
        history = self.pair.writer.history
        assert self.side is not None
        ancestors = self.pair.model.ancestors
        shared = ancestors(self.main) & ancestors(self.side)
        base = max(shared, key=lambda sha: len(ancestors(sha)))
        mine, theirs = history[self.main], history[self.side]
        tree = merged(history[base].tree, mine.tree, theirs.tree)
        parents = (theirs.sha, mine.sha) if swapped else (mine.sha, theirs.sha)
        if base != self.side:
            self.main = self.pair.writer.commit(parents, author, tree).sha
        self.side = None
        self.follow_up(then)

    @rule(
        back=st.integers(0, 2),
        amend=st.booleans(),
        name=names,
        change=changes,
        then=then,
    )
    def rewrite_history(
        self, back: int, amend: bool, name: str, change: Change, then: str
    ) -> None:
        """What follows is another history, to be pushed with force."""
        line = self.line()
        commit = line[min(back, len(line) - 1)]
        self.main = commit.sha
        if amend and commit.parents:
            writer = self.pair.writer
            self.main = writer.commit(commit.parents, commit.author, commit.tree).sha
        else:
            self.edit(False, ANN, name, lambda f: replace(f, content=change(f.content)))

    @rule()
    def push(self) -> None:
        self.pair.push(self.main)

    # --- the daemon and time ---

    @rule(then=then)
    def go_on(self, then: str) -> None:
        self.follow_up(then)

    @rule(most=st.integers(1, 3))
    def work(self, most: int) -> None:
        self.pair.work(most)

    @rule()
    def push_in_an_attempt(self) -> None:
        """The next attempt that acts is still in flight when a push is seen."""

        def meanwhile() -> None:
            self.pair.push(self.main)
            self.pair.poll()

        self.pair.meanwhile = meanwhile
        self.pair.work(1)
        self.pair.meanwhile = None

    @rule(span=spans)
    def wait(self, span: timedelta) -> None:
        self.pair.wait(span)

    @rule()
    def kill(self) -> None:
        self.pair.kill()

    @rule(at=deaths, polls=st.booleans())
    def die_at_a_commit(self, at: tuple[int, str], polls: bool) -> None:
        self.pair.dies_at = at
        if polls:
            self.pair.push(self.main)
            self.pair.poll()
        else:
            self.pair.work(1)
        self.pair.dies_at = None

    @rule(name=st.sampled_from(["prod", "", "staging"]), is_over=st.booleans())
    def pause(self, name: str, is_over: bool) -> None:
        if not name or name in self.pair.model.environments:
            self.pair.pause(name, is_over=is_over)

    @invariant()
    def is_as_the_model_says(self) -> None:
        if hasattr(self, "pair"):
            self.pair.check()
