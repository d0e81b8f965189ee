"""What is wrong with a tree of files as a whole, before anybody commits it."""

from gitops_wf.core.config import RepositoryConfig
from gitops_wf.core.identifiers import RepositoryName, TargetName
from gitops_wf.definitions.reader import DefinitionReader
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.services.validate import FileTree, Validate
from tests.definitions import CATALOGUE

HEAD = b"apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"


def problems(**environments: bytes) -> dict[str, list[str]]:
    files = {
        f"envs/{name}/environment.yaml": HEAD + text
        for name, text in environments.items()
    }
    checked = Validate(
        repository=RepositoryConfig(
            name=RepositoryName("shop"), url="/shop", targets=(TargetName("eu"),)
        ),
        definitions=DefinitionReader(CATALOGUE),
        manifests=read_manifests,
    ).check(FileTree(paths=sorted(files), read=files.get))
    return {each.name: list(map(str, each.problems)) for each in checked}


def test_environments_that_wait_for_each_other_are_each_told_of_it():
    found = problems(
        prod=b"after: [{environment: staging}]\n",
        staging=b"after: [{environment: test}]\n",
        test=b"after: [{environment: prod}]\n",
        other=b"after: [{environment: prod}]\n",
    )

    assert found["other"] == []
    assert [len(found[name]) for name in ("prod", "staging", "test")] == [1, 1, 1]
    assert found["prod"][0].startswith(
        "envs/prod/environment.yaml:3: prod waits for staging"
        " (envs/prod/environment.yaml:3), which waits for test"
        " (envs/staging/environment.yaml:3), which waits for prod"
    )


def test_a_chain_of_waits_is_right():
    assert problems(
        prod=b"after: [{environment: staging}]\n",
        staging=b"after: [{environment: test}]\n",
        test=b"",
    ) == {"prod": [], "staging": [], "test": []}
