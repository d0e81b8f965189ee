"""What kustomizations refer to outside their environment's folder."""

import pytest

from gitops_wf.definitions.kustomizations import bases_of

FOLDER = "envs/prod"


def bases(**files: str):
    """The bases and problems of envs/prod; `__` in a name stands for a slash."""
    content = {name: text.encode() for name, text in files.items()}
    inside = [name.removeprefix(f"{FOLDER}/") for name in files if FOLDER in name]
    found, problems = bases_of(FOLDER, inside, content.get)
    return found.paths, [f"{p.path}:{p.line}: {p.message}" for p in problems]


def overlay(text: str, **more: str):
    return bases(**{f"{FOLDER}/kustomization.yaml": text, **more})


def test_a_folder_without_kustomization_has_none():
    assert bases(**{f"{FOLDER}/web.yaml": "a: b"}) == ((), [])


def test_bases_and_components_are_followed_to_theirs():
    found, problems = overlay(
        "resources: [../../base, web.yaml]\ncomponents: [../../parts/tls]\n",
        **{
            "base/kustomization.yml": "resources: [cm.yaml, ../common/web]\n",
            "common/web/Kustomization": "resources: [a.yaml]\n",
            "parts/tls/kustomization.yaml": "kind: Component\n",
        },
    )

    assert found == ("base", "common/web", "parts/tls")
    assert problems == []


def test_what_lies_inside_is_no_base_but_may_lead_outside():
    found, _ = overlay(
        "resources: [eu]\n",
        **{f"{FOLDER}/eu/kustomization.yaml": "resources: [../../../base]\n"},
    )

    assert found == ("base",)


def test_a_base_in_the_root_folder_is_the_whole_repository():
    found, problems = overlay(
        "resources: [../.., ../../base]\n",
        **{"kustomization.yaml": "resources: [web.yaml]\n"},
    )

    assert found == ("",)
    assert problems == []


def test_a_base_below_another_is_one_with_it():
    found, _ = overlay("resources: [../../base, ../../base/extra]\n")

    assert found == ("base",)


def test_bases_that_refer_to_each_other_end():
    found, problems = overlay(
        "resources: [../../a]\n",
        **{
            "a/kustomization.yaml": "resources: [../b]\n",
            "b/kustomization.yaml": "resources: [../a]\n",
        },
    )

    assert (found, problems) == (("a", "b"), [])


@pytest.mark.parametrize(
    "remote",
    [
        "https://example.com/base?ref=main",
        "ssh://git@example.com/team/base",
        "git@example.com:team/base",
        "github.com/team/base",
        "example.com/team/base//web?ref=v1",
    ],
)
def test_a_remote_base_is_refused_with_its_line(remote):
    found, problems = overlay(f"resources:\n  - web.yaml\n  - {remote}\n")

    assert found == ()
    assert len(problems) == 1
    assert problems[0].startswith("envs/prod/kustomization.yaml:3: ")
    assert "copy it into the repository" in problems[0]


@pytest.mark.parametrize("path", ["../../../other", "/etc"])
def test_a_base_outside_the_repository_is_refused(path):
    _, problems = overlay(f"resources: [{path}]\n")

    assert len(problems) == 1
    assert "leads out of the repository" in problems[0]


def test_what_is_no_kustomization_is_left_to_kustomize_or_told():
    assert overlay("- a\n") == ((), [])
    assert overlay("resources: {a: b}\ngenerators: [{kind: X}]\n") == ((), [])
    _, problems = overlay("resources: [\n")
    assert len(problems) == 1
    assert "envs/prod/kustomization.yaml" in problems[0]


def test_a_base_of_many_files_is_followed_to_its_last():
    names = [f"f{number}.yaml" for number in range(250)]
    found, problems = overlay(
        "resources: [../../base]\n",
        **{"base/kustomization.yaml": f"resources: [{', '.join(names)}, ../last]\n"},
    )

    assert (found, problems) == (("base", "last"), [])


def test_more_kustomizations_than_are_read_are_told():
    _, problems = overlay(
        "resources: [../../b0]\n",
        **{
            f"b{number}/kustomization.yaml": f"resources: [../b{number + 1}]\n"
            for number in range(250)
        },
    )

    assert [problem.split(": ", 1)[1] for problem in problems] == [
        "the environment is made of more than 200 kustomizations: split it"
    ]


def test_files_of_the_folder_itself_are_not_asked_for():
    content = {f"{FOLDER}/kustomization.yaml": b"resources: [web.yaml, api.yaml]\n"}
    asked = []

    def read(path):
        asked.append(path)
        return content.get(path)

    bases_of(FOLDER, ["kustomization.yaml", "web.yaml", "api.yaml"], read)

    assert asked == [f"{FOLDER}/kustomization.yaml"]
