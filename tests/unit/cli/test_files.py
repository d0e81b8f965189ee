"""Commands that read and write files: init, validate, schema, health."""

import io
import json
import subprocess
from pathlib import Path

import pytest

from gitops_wf.cli.example import CONFIG, example_files
from tests.gitworktree import git_env

DATA = Path(__file__).parents[2] / "data" / "health"


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """Git as on a new machine: it knows nobody."""
    for name, value in git_env(HOME=str(tmp_path)).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def example(gitops_wf, tmp_path):
    assert gitops_wf("init", "shop").code == 0
    return tmp_path / "shop"


def test_init_makes_a_repository_whose_first_commit_is_the_example(example):
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", "main"],
        cwd=example,
        capture_output=True,
        text=True,
        check=True,
    )

    assert listed.stdout.split() == sorted(example_files())


def test_init_overwrites_nothing(gitops_wf, example):
    (example / "envs/prod/web.yaml").write_text("mine")
    (example / CONFIG).unlink()

    result = gitops_wf("init", example)

    assert result.code == 1
    assert "envs/prod/web.yaml" in result.err
    assert (example / "envs/prod/web.yaml").read_text() == "mine"
    assert not (example / CONFIG).exists()


def test_init_says_which_file_it_could_not_write(gitops_wf, tmp_path):
    (tmp_path / "taken").touch()

    result = gitops_wf("init", "taken")

    assert result.code == 1
    assert result.err.startswith("gitops-wf: taken/envs/prod: Not a directory; choose")


def test_init_inside_a_repository_leaves_the_commit_to_the_person(gitops_wf, example):
    result = gitops_wf("init", example / "deeper")

    assert result.code == 0
    assert "commit them" in result.out
    assert not (example / "deeper" / ".git").exists()


@pytest.mark.parametrize("more", [(), ("--config", f"shop/{CONFIG}")])
def test_the_example_is_valid_with_its_config_and_without(gitops_wf, example, more):
    result = gitops_wf("validate", "shop", *more)

    assert (result.code, result.err) == (0, "")
    assert result.out == "2 environment(s) valid: prod, staging\n"


def test_every_problem_is_a_line_with_its_place(gitops_wf, example):
    workflow = example / "envs/prod/workflow.yaml"
    workflow.write_text(workflow.read_text().replace("steps:", "stepz:"))
    (example / "envs/prod/odd.yaml").write_text("apiVersion: v1\n")
    (example / "envs/prod/approvals.yaml").write_text("approvals: [{}]\n")

    result = gitops_wf("validate", "shop")

    lines = result.out.splitlines()
    assert result.code == 1
    assert any(line.startswith("envs/prod/workflow.yaml:3: ") for line in lines)
    assert any(line.startswith("envs/prod/odd.yaml:1: ") for line in lines)
    assert any(line.startswith("envs/prod/approvals.yaml:1: ") for line in lines)
    assert "in 1 of 2 environment(s)" in result.err


def test_every_entry_of_an_approvals_file_is_checked(gitops_wf, example):
    (example / "envs/prod/approvals.yaml").write_text(
        "approvals:\n"
        "  - {revison: '1234567', decision: approve}\n"
        "  - {revision: '1234567', decision: aprove}\n"
    )

    lines = gitops_wf("validate", "shop").out.splitlines()

    assert [line.split(" ")[0] for line in lines] == [
        *("envs/prod/approvals.yaml:2:", "envs/prod/approvals.yaml:2:"),
        "envs/prod/approvals.yaml:3:",
    ]
    assert any("did you mean `revision`?" in line for line in lines)


def test_only_the_environments_below_a_folder_are_told_of(gitops_wf, example):
    (example / "envs/prod/odd.yaml").write_text("apiVersion: v1\n")

    assert gitops_wf("validate", "shop/envs/staging").code == 0
    assert gitops_wf("validate", "shop/envs/prod").code == 1


def test_problems_can_be_had_as_json(gitops_wf, example):
    (example / "envs/prod/odd.yaml").write_text("apiVersion: v1\n")

    prod = gitops_wf("validate", "shop", "-o", "json").json[0]

    assert (prod["environment"], prod["valid"]) == ("prod", False)
    assert prod["problems"][0]["path"] == "envs/prod/odd.yaml"
    assert prod["problems"][0]["line"] == 1


def test_a_link_out_of_the_tree_is_not_followed(gitops_wf, example, tmp_path):
    secret = tmp_path / "secret.yaml"
    secret.write_text("hunter22: [")
    (example / "envs/prod/link.yaml").symlink_to(secret)

    result = gitops_wf("validate", "shop")

    assert "envs/prod/link.yaml: is a symlink" in result.out
    assert "hunter22" not in result.out


def test_two_environments_of_one_name_are_a_problem(gitops_wf, example):
    staging = example / "envs/staging/environment.yaml"
    staging.write_text(staging.read_text() + "name: prod\n")

    result = gitops_wf("validate", "shop")

    assert "an environment named prod stands in envs/prod already" in result.out


@pytest.mark.parametrize("left", ["environment.yaml", None])
def test_a_workflow_by_another_name_is_a_problem_and_no_lost_gate(
    gitops_wf, example, left
):
    folder = example / "envs/prod"
    (folder / "workflow.yaml").rename(folder / "workflow.yml")
    if left is None:
        (folder / "environment.yaml").unlink()

    result = gitops_wf("validate", example)

    assert result.code == 1
    assert "envs/prod/workflow.yml: is not read: rename it to workflow.yaml" in (
        result.out
    )


def test_a_plan_before_the_first_commit_says_that_there_is_none(gitops_wf, tmp_path):
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path], check=True)
    config = tmp_path / "gitops-wf.yaml"
    config.write_text(
        "repositories: {shop: {url: .}}\ntargets: {disk: {directory: out}}\n"
    )

    result = gitops_wf("plan", "--config", config)

    assert result.code == 2
    assert f"there is no branch main in {tmp_path}, or no commit on it yet" in (
        result.err
    )


def test_a_tree_without_environments_is_not_valid(gitops_wf, tmp_path):
    (tmp_path / "empty").mkdir()

    result = gitops_wf("validate", "empty")

    assert result.code == 1
    assert "no environments" in result.err


def test_a_wrong_config_is_told_line_by_line(gitops_wf, example):
    (example / CONFIG).write_text("targets: 1\nrepositoriez: {}\n")

    result = gitops_wf("validate", "shop", "--config", example / CONFIG)

    assert result.code == 1
    assert f"{example / CONFIG}:2: unknown key `repositoriez`" in result.err
    assert f"{example / CONFIG}:1: " in result.err


def test_schemas_are_printed_by_kind(gitops_wf):
    assert gitops_wf("schema", "workflow").json["$id"].endswith(":workflow")
    assert gitops_wf("schema", "nonsense").code == 2


def test_health_of_files_has_a_row_for_each_object(gitops_wf, tmp_path):
    job = json.loads((DATA / "failed-job.json").read_text())["job"]
    folder = tmp_path / "objects"
    folder.mkdir()
    (folder / "job.yaml").write_text(json.dumps(job))
    (folder / "map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n"
    )
    (folder / "README.md").write_text("not an object")

    result = gitops_wf("health", "-f", folder, "-o", "json")

    assert result.code == 1
    assert [(row["object"], row["status"]) for row in result.json][1] == (
        *("ConfigMap/b/a", "Current"),
    )
    assert result.json[0]["status"] == "Failed"
    assert gitops_wf("health", "-f", folder / "map.yaml").code == 0


def test_health_uses_the_shipped_rules_and_those_of_a_config(gitops_wf, tmp_path):
    config = tmp_path / "gitops-wf.yaml"
    config.write_text(
        "repositories: {shop: {url: https://git.example/shop.git}}\n"
        "health:\n"
        "  rules:\n"
        "    - apiVersion: external-secrets.io/v1\n"
        "      kind: ExternalSecret\n"
        "      current: has(status.refreshTime)\n"
    )
    objects = tmp_path / "objects.yaml"
    objects.write_text(
        "apiVersion: helm.toolkit.fluxcd.io/v2\n"
        "kind: HelmRelease\n"
        "metadata: {name: web, namespace: shop}\n"
        "spec: {suspend: true}\n"
        "---\n"
        "apiVersion: external-secrets.io/v1\n"
        "kind: ExternalSecret\n"
        "metadata: {name: db, namespace: shop}\n"
        "status:\n"
        "  refreshTime: now\n"
        "  conditions: [{type: Ready, status: 'False', reason: SecretSyncedError}]\n"
    )

    shipped = gitops_wf("health", "-f", objects, "-o", "json")
    mine = gitops_wf("health", "-f", objects, "-c", config, "-o", "json")
    rules = gitops_wf("health", "--rules", "-c", config, "-o", "json")

    assert shipped.code == 1
    assert [row["status"] for row in shipped.json] == ["Suspended", "Failed"]
    assert shipped.json[1]["message"] == "SecretSyncedError"
    assert mine.code == 0
    assert [row["status"] for row in mine.json] == ["Suspended", "Current"]
    assert {
        "group": "external-secrets.io",
        "kind": "ExternalSecret",
        "origin": f"{config}:4",
    } in rules.json
    assert len(rules.json) > 100
    assert gitops_wf("health").code == 2
    assert gitops_wf("health", "--rules", "-f", objects).code == 2


def test_health_reads_what_another_command_prints(gitops_wf, monkeypatch):
    objects = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(objects)))

    result = gitops_wf("health", "-f", "-", "-o", "json")

    assert [(row["source"], row["status"]) for row in result.json] == [
        ("stdin:1", "Current")
    ]
    assert gitops_wf("health", "-f", "nothing.yaml").code == 2
