"""The image, checked without a Docker engine: read as Docker reads it."""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
BASE = ROOT / "manifests" / "base"


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its arguments, continued lines joined."""
    text = re.sub(
        r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE
    )
    lines = text.replace("\\\n", " ").splitlines()
    found = [line.split(None, 1) for line in lines if line.strip()]
    return [(word.upper(), " ".join(rest.split())) for word, rest in found]


def stages() -> list[list[tuple[str, str]]]:
    made: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            made.append([])
        if made:
            made[-1].append((word, rest))
    return made


def last(word: str) -> str:
    return [rest for each, rest in stages()[-1] if each == word][-1]


def container() -> dict:
    deployment = yaml.safe_load((BASE / "deployment.yaml").read_text())
    return deployment["spec"]["template"]["spec"]


def test_only_instructions_that_docker_knows_stand_in_it():
    known = {"ARG", "FROM", "WORKDIR", "RUN", "COPY", "ENV", "USER", "EXPOSE"}
    known |= {"ENTRYPOINT", "CMD"}

    assert {word for word, _ in instructions()} <= known


def test_the_build_stays_behind_and_is_pinned():
    build, final = stages()

    assert any("-c constraints.txt" in rest for _, rest in build)
    assert not any("pip install" in rest for _, rest in final)
    assert ("COPY", "--from=build /opt/gitops-wf /opt/gitops-wf") in final


def test_nothing_is_fetched_but_the_base_image_and_packages_by_their_names():
    text = (ROOT / "Dockerfile").read_text()

    assert not re.search(r"https?://|index-url|syntax=", text)
    assert {rest.split()[0] for word, rest in instructions() if word == "FROM"} == {
        "${BASE}"
    }


def test_what_the_build_copies_is_there_and_let_through_by_dockerignore():
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    for word, rest in stages()[0]:
        if word != "COPY":
            continue
        for source in rest.split()[:-1]:
            name = source.removeprefix("./")
            assert (ROOT / name).exists()
            assert f"!{name}" in allowed


def test_it_runs_as_a_numeric_user_who_has_a_name_for_ssh():
    user = last("USER")
    [made] = [rest for word, rest in stages()[-1] if "useradd" in rest]

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert f"--uid {user.partition(':')[0]} " in made
    assert stages()[-1].index(("USER", user)) > stages()[-1].index(("RUN", made))


def test_git_ssh_and_a_first_process_that_passes_signals_on_are_in_it():
    [installed] = [rest for word, rest in stages()[-1] if "apt-get install" in rest]

    assert {"git", "openssh-client", "tini"} <= set(installed.split())
    assert json.loads(last("ENTRYPOINT")) == ["tini", "--", "gitops-wf"]
    assert isinstance(json.loads(last("CMD")), list)  # the exec form


def test_the_deployment_runs_what_the_image_has():
    spec = container()
    [daemon] = spec["containers"]
    uid, gid = map(int, last("USER").split(":"))

    assert daemon["args"] == json.loads(last("CMD"))
    assert daemon["workingDir"] == last("WORKDIR")
    assert "command" not in daemon  # the image's, with tini
    assert daemon["ports"][0]["containerPort"] == int(last("EXPOSE"))
    security = spec["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == (uid, gid)
    assert security["fsGroup"] == gid
    config = Path(daemon["args"][-1])
    mounts = {Path(mount["mountPath"]) for mount in daemon["volumeMounts"]}
    assert {config.parent, Path(last("WORKDIR")), Path("/tmp")} <= mounts
