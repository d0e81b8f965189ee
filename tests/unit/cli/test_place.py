"""In which order the daemon that is meant is looked for."""

from pathlib import Path

import pytest

from gitops_wf.cli.place import FOLDER, NOTE, VARIABLE, Told, find
from gitops_wf.core.errors import DefinitionError, TerminalError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path


def test_what_is_named_goes_before_the_note_and_the_note_before_the_variable(
    here, monkeypatch
):
    monkeypatch.setenv(VARIABLE, "/etc/variable.yaml")
    assert find(None).config == Path("/etc/variable.yaml")

    Told(directory=here / FOLDER, config=Path("noted.yaml")).remember()
    assert find(None).config == here / "noted.yaml"

    assert find(Path("named.yaml")).config == Path("named.yaml")


def test_a_sandbox_is_remembered_with_its_repository_and_branch(here):
    told = Told(directory=here / FOLDER, repository=here / "shop", branch="trunk")

    told.remember()

    assert find(None) == told
    assert find(None).load().repositories[0].branch == "trunk"


def test_the_note_is_nothing_that_git_would_add(here):
    Told(directory=here / FOLDER, config=Path("c.yaml")).remember()

    assert (here / FOLDER / ".gitignore").read_text() == "*\n"


def test_a_note_that_cannot_be_read_is_an_error_that_names_it(here):
    (here / FOLDER).mkdir()
    (here / FOLDER / NOTE).write_text("{")

    with pytest.raises(DefinitionError, match=r"run.json: cannot be read"):
        find(None)


def test_the_note_is_found_from_a_folder_of_the_work_tree(here, monkeypatch):
    told = Told(directory=here / FOLDER, repository=here, branch="main")
    told.remember()
    (here / ".git").mkdir()
    (here / "envs/prod").mkdir(parents=True)
    monkeypatch.chdir(here / "envs/prod")

    assert find(None) == told


def test_no_note_is_believed_that_stands_outside_the_work_tree(here, monkeypatch):
    Told(directory=here / FOLDER, config=Path("anybodys.yaml")).remember()
    (here / "shop/.git").mkdir(parents=True)
    (here / "plain").mkdir()

    for folder in ("shop", "plain"):
        monkeypatch.chdir(here / folder)
        with pytest.raises(TerminalError, match="no daemon config"):
            find(None)


def test_a_config_that_is_not_there_is_said_to_be_so(here):
    with pytest.raises(DefinitionError) as caught:
        find(Path("nope.yaml")).load()

    assert str(caught.value) == "nope.yaml: there is no such file"


def test_without_any_the_ways_are_told():
    with pytest.raises(TerminalError, match="--config FILE"):
        find(None)
