"""kustomize and Helm as limited children: what they render, and what they cannot do."""

import socketserver
import subprocess
import sys
from datetime import timedelta

import pytest

from gitops_wf.adapters.renderers import Tools
from gitops_wf.adapters.renderers.helm_child import merge
from gitops_wf.adapters.renderers.kustomize import kustomize_command
from gitops_wf.core.errors import DefinitionError, TransientError
from gitops_wf.core.render_limits import RenderLimits
from gitops_wf.core.sizes import Size
from gitops_wf.ports.content import File
from gitops_wf.ports.renderer import Chart

CM = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"


def files(**more: str) -> list[File]:
    return [File(path=path, data=text.encode()) for path, text in more.items()]


def overlay(text: str) -> list[File]:
    return files(
        **{
            "base/kustomization.yaml": "resources: [cm.yaml]\n",
            "base/cm.yaml": CM,
            "envs/prod/kustomization.yaml": text,
        }
    )


def chart(template: str, **more: str) -> list[File]:
    return files(
        **{
            "charts/web/Chart.yaml": CHART,
            "charts/web/values.yaml": "replicas: 1\nlabels: {a: x, b: y}\n",
            "charts/web/templates/web.yaml": template,
            **more,
        }
    )


WEB = Chart(path="charts/web", release="shop", namespace="prod")


@pytest.fixture
def tools(tmp_path):
    return Tools(tmp_path / "render")


def told(tools, given) -> str:
    with pytest.raises(DefinitionError) as caught:
        tools.kustomize(overlay(given), "envs/prod")
    return str(caught.value)


def test_an_overlay_is_built_from_a_base_beside_it(tools):
    built = tools.kustomize(
        overlay("resources: [../../base]\nnamePrefix: eu-\n"), "envs/prod"
    )

    assert built.path == "envs/prod/kustomization.yaml"
    assert b"name: eu-web" in built.data


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("resources: [nope.yaml]\n", "no such file or directory"),
        ("resources: ['https://127.0.0.1:9/x.yaml']\n", "127.0.0.1:9"),
        ("resources: ['https://127.0.0.1:9/x?ref=main']\n", "127.0.0.1:9"),
        (
            "configMapGenerator: [{name: x, files: [../../base/cm.yaml]}]\n",
            "is not in or below",
        ),
        ("configMapGenerator: [{name: x, files: [/etc/passwd]}]\n", "/etc/passwd"),
        ("helmCharts: [{name: x, repo: 'https://127.0.0.1:9'}]\n", "--enable-helm"),
        ("resources: [\n", "yaml"),
    ],
)
def test_a_kustomization_that_reaches_out_or_is_wrong_says_so(tools, text, words):
    message = told(tools, text)

    assert message.startswith("envs/prod/kustomization.yaml: kustomize: ")
    assert words in message
    assert "/render/" not in message, "a path of this machine helps nobody"


def test_a_plug_in_that_runs_a_program_is_off(tools):
    plugin = (
        "apiVersion: example.com/v1\nkind: Exec\nmetadata:\n  name: a\n  annotations:\n"
        "    config.kubernetes.io/function: 'exec: {path: /bin/true}'\n"
    )
    given = [
        *overlay("generators: [plugin.yaml]\n"),
        *files(**{"envs/prod/plugin.yaml": plugin}),
    ]

    with pytest.raises(DefinitionError, match="plugins"):
        tools.kustomize(given, "envs/prod")


CONTAINER = """
import os, sys
from datetime import timedelta
from pathlib import Path
from gitops_wf.adapters.renderers.become import forbid
from gitops_wf.adapters.renderers.child import run
from gitops_wf.core.render_limits import RenderLimits
unshare = {"x86_64": 272, "aarch64": 97}[os.uname().machine]
assert forbid({unshare: None})
ended = run(sys.argv[2:], Path(sys.argv[1]), RenderLimits())
print(ended.code, ended.output.decode(), ended.errors)
"""
"""Runs a program as a renderer, where no namespace can be had."""


def in_a_container(folder, *command: str) -> str:
    """What a renderer says under a seccomp profile such as Kubernetes' default."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", CONTAINER, str(folder), *command],
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout


def test_a_renderer_opens_no_socket_where_it_can_have_no_namespace(tmp_path):
    opens = "from socket import *; socket({}); print('opened')".format
    said = {
        family: in_a_container(tmp_path / family, sys.executable, "-c", opens(family))
        for family in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX")
    }

    opened = said.pop("AF_UNIX")  # gpg speaks so with its agent
    assert "opened" in opened
    assert all("[Errno 13] Permission denied" in each for each in said.values())


@pytest.mark.parametrize("place", ["here", "in a container"])
def test_a_file_that_is_a_url_is_not_fetched(tools, tmp_path, place):
    text = """\
configMapGenerator:
  - {name: stolen, files: ["key=http://127.0.0.1:%d/latest/meta-data"]}
"""
    with socketserver.TCPServer(("127.0.0.1", 0), None) as server:
        given = text % server.server_address[1]
        if place == "here":
            said = told(tools, given)
        else:
            (tmp_path / "kustomization.yaml").write_text(given)
            said = in_a_container(
                tmp_path / "render", *kustomize_command(), str(tmp_path)
            )
        server.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.get_request()

    assert "127.0.0.1" in said


def test_a_chart_is_rendered_with_the_values_of_each_file(tools):
    template = CM + (
        "data:\n  where: {{ .Release.Name }}/{{ .Release.Namespace }}\n"
        "  labels: '{{ toJson .Values.labels }}'\n  n: '{{ .Values.replicas }}'\n"
    )
    given = chart(
        template,
        **{
            "envs/prod/values.yaml": "replicas: 2\nlabels: {b: null}\n",
            "envs/prod/eu.yaml": "replicas: 3\n",
            "charts/web/crds/one.yaml": "kind: CustomResourceDefinition\n",
            "charts/web/templates/NOTES.txt": "hello",
            "charts/web/templates/_names.tpl": '{{ define "x" }}{{ end }}',
            "charts/web/templates/off.yaml": "{{ if false }}x: y{{ end }}",
        },
    )
    values = ("envs/prod/values.yaml", "envs/prod/eu.yaml")

    rendered = tools.helm(
        given, Chart(path="charts/web", release="shop", namespace="prod", values=values)
    )

    assert [file.path for file in rendered] == [
        "web/crds/one.yaml",
        "web/templates/web.yaml",
    ]
    text = rendered[1].data.decode()
    assert "where: shop/prod" in text
    assert """labels: '{"a":"x"}'""" in text
    assert "n: '3'" in text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (chart('{{ required "set x" .Values.x }}'), "set x"),
        (chart("{{ nope }}"), "nope"),
        (chart("{{ .Values.a.b.c }}"), "nil pointer"),
        (
            chart(
                CM,
                **{
                    "charts/web/Chart.yaml": CHART
                    + "dependencies: [{name: redis, version: 1.0.0,"
                    " repository: 'https://127.0.0.1:9'}]\n"
                },
            ),
            "helm dependency update",
        ),
        (
            chart(CM, **{"charts/web/values.schema.json": '{"required": ["host"]}'}),
            "host",
        ),
        (files(**{"charts/web/values.yaml": "a: b\n"}), "Chart.yaml"),
    ],
    ids=["required", "parse", "nil", "dependency", "schema", "no chart"],
)
def test_a_chart_that_cannot_be_rendered_says_why(tools, given, words):
    with pytest.raises(DefinitionError) as caught:
        tools.helm(given, WEB)

    assert str(caught.value).startswith("charts/web/Chart.yaml: Helm: ")
    assert words in str(caught.value)


def test_a_template_that_eats_memory_is_ended_and_told(tools):
    bomb = chart('{{ repeat 2000000000 "aaaaaaaaaaaaaaaa" }}')

    words = "more than 512Mi of memory: `renderers.memory` of the daemon config must"
    with pytest.raises(DefinitionError, match=words):
        tools.helm(bomb, WEB)

    assert tools.helm(chart(CM), WEB), "and the next one is rendered"


def test_a_template_that_never_ends_is_ended_and_told(tmp_path):
    tools = Tools(tmp_path, RenderLimits(cpu=timedelta(seconds=1)))
    loop = "{{ range until 9999 }}{{ range until 9999 }}{{ end }}{{ end }}"

    words = "more than 1s of processor time: `renderers.cpu` of the daemon config must"
    with pytest.raises(DefinitionError, match=words):
        tools.helm(chart(loop), WEB)


def test_what_takes_longer_than_the_wall_time_is_tried_again(tmp_path):
    tools = Tools(tmp_path, RenderLimits(timeout=timedelta(milliseconds=10)))

    with pytest.raises(
        TransientError, match=r"longer than 0.01 s .*`renderers.timeout`"
    ):
        tools.helm(chart(CM), WEB)


def test_more_output_than_the_cap_is_refused(tmp_path):
    tools = Tools(tmp_path, RenderLimits(output=Size(1 << 20)))
    large = chart('a: {{ repeat 2000000 "x" }}')

    with pytest.raises(DefinitionError, match=r"more than 1Mi: `renderers.output`"):
        tools.helm(large, WEB)


def test_nothing_of_a_render_stays_behind(tmp_path):
    folder = tmp_path / "render"
    folder.mkdir()
    (folder / "of-a-killed-process").write_text("secret")

    tools = Tools(folder)
    tools.kustomize(overlay("resources: [../../base]\n"), "envs/prod")
    with pytest.raises(DefinitionError):
        tools.kustomize(overlay("resources: [nope]\n"), "envs/prod")

    assert not list(folder.iterdir())


def test_values_merge_as_helm_merges_them():
    values = {"a": {"b": 1, "c": [1]}, "d": 1}

    merge(values, {"a": {"c": [2], "e": None}, "d": {"x": 1}})

    assert values == {"a": {"b": 1, "c": [2], "e": None}, "d": {"x": 1}}
