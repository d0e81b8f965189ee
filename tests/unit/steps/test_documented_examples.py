import re
from pathlib import Path

import pytest
import yaml

from gitops_wf.adapters.step_catalogue import EntryPointCatalogue

STEPS = Path(__file__).parents[3] / "docs/steps"
OURS = ("notification", "print-message-in-status", "suspend", "webhook")


@pytest.mark.parametrize("name", OURS)
def test_the_example_of_a_step_types_page_is_valid(name):
    page = (STEPS / f"{name}.md").read_text()
    step_type = EntryPointCatalogue().get(name)

    [example] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    [step] = yaml.safe_load(example)

    assert step["type"] == name
    step_type.properties.model_validate(step["properties"])


@pytest.mark.parametrize("name", OURS)
def test_a_step_types_page_names_each_of_its_properties(name):
    page = (STEPS / f"{name}.md").read_text()
    schema = EntryPointCatalogue().get(name).properties.model_json_schema()

    assert not [field for field in schema["properties"] if field not in page]
