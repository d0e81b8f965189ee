"""Each step type has a page, which says what the type says, and shows what is valid."""

import jsonschema
import pytest
import yaml

from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.core.identifiers import RepositoryName
from gitops_wf.definitions.schemas import schema_for
from tests.definitions import CATALOGUE, read_environment
from tests.step_examples import examples
from tests.step_pages import PAGES, page, page_of
from tests.worlds import WORKFLOW, known_of

EXAMPLES = [one for path in sorted(PAGES.glob("*.md")) for one in examples(path)]


def test_each_step_type_that_a_file_may_name_has_a_page_and_no_other():
    assert {path.stem for path in PAGES.glob("*.md")} == set(CATALOGUE.names())


def test_each_module_of_a_step_type_is_installed_by_its_entry_point():
    assert CATALOGUE.names() == EntryPointCatalogue().names()


@pytest.mark.parametrize("name", CATALOGUE.names())
def test_a_page_says_what_its_step_type_says(name):
    written = page_of(name).read_text()

    assert written == page(CATALOGUE.get(name), written), (
        f"write it anew: python -m tests.step_pages {name}"
    )


@pytest.mark.parametrize("name", CATALOGUE.names())
def test_a_property_is_explained(name):
    def unexplained(schema, path):
        for key, part in schema.get("properties", {}).items():
            if "description" not in part:
                yield f"{path}{key}"

    schema = CATALOGUE.get(name).properties.model_json_schema()
    parts = {"": schema, **schema.get("$defs", {})}

    assert not [
        missing
        for model, part in parts.items()
        for missing in unexplained(part, f"{model}.")
    ]


@pytest.mark.parametrize("name", CATALOGUE.names())
def test_a_page_has_an_example_that_is_run(name):
    assert [
        one
        for one in examples(page_of(name))
        if not one.why_not_run and name in one.steps
    ], f"see tests/step_examples.py for what an example of {name} may need"


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_step_that_a_page_shows_is_valid(example):
    workflow = yaml.safe_load(example.files[WORKFLOW])
    jsonschema.validate(workflow, schema_for("workflow", CATALOGUE))

    read = read_environment(
        {path: text.encode() for path, text in example.files.items()},
        folder="envs/prod",
        name="prod",
        catalogue=CATALOGUE,
        known=known_of(example.files),
        repository=RepositoryName("shop"),
        targets=("prod-eu",),
    )

    assert list(map(str, read.problems)) == []
