"""Writes the reference pages of our files from their schemas and tested examples.

``python -m tests.file_pages`` writes them anew; a test says when that is needed.
"""

from dataclasses import dataclass
from pathlib import Path

from gitops_wf.definitions.schemas import schema_for
from tests.definitions import CATALOGUE
from tests.field_tables import rows, table

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "reference"
VALID = Path("tests/data/definitions/valid")


@dataclass(frozen=True)
class Page:
    kind: str
    title: str
    about: str
    example: Path
    explained: tuple[str, ...]


FILES = (
    Page(
        "config",
        "The daemon config",
        "What the platform team trusts the daemon with; `gitops-wf run --config FILE`.\n"
        "Relative paths begin at the file's own folder.",
        Path("config/gitops-wf.yaml"),
        (
            (
                "two repositories are watched: `shop` over https with a token, `payments`"
                " over ssh with a key;"
            ),
            (
                "`prod-eu` takes some kinds in some namespaces; writes to it wait at a"
                " gate until one of `release-team` approved, unless it is a rollback;"
            ),
            (
                "`shop/prod` may be approved by two of `release-team`, by signed commits,"
                " and may use no other targets than those listed;"
            ),
            (
                "environments of `shop` are delivered to `prod-eu` as the service account"
                " `shop/deployer`, those of `payments` as a user, and no others are;"
            ),
            (
                "each secret names who may use it and where it may be sent; without"
                " `environments` it is the daemon's own;"
            ),
            (
                "a `Database` of example.com is judged by its own phase: see"
                " [health](health.md);"
            ),
            (
                "cloud resources go to the target `here`; a `Database` or `Queue` of"
                " example.com is one where it names its credentials: see"
                " [deploy-cloud-resource](../steps/deploy-cloud-resource.md);"
            ),
            (
                "a released revision is compared with what is live every five minutes, and"
                " the replicas of some Deployments may differ: see"
                " [drift](../operations/drift.md);"
            ),
            "what waits, fails or is rolled back, anywhere, is told to the channel `ops`.",
        ),
    ),
    Page(
        "environment",
        "environment.yaml",
        "Makes a folder an environment and says how its revisions run. A folder with a"
        " `workflow.yaml` needs none.",
        VALID / "envs/prod/environment.yaml",
        (
            "the environment delivers to the targets that it lists, and to no other;",
            (
                "it waits until `staging` has succeeded with the same commit or an earlier"
                " one; of another watched repository (`shared/dns`), whose commits are in no"
                " order with these, the newest revision must have succeeded;"
            ),
            "a change of a watched path is a change of the environment.",
        ),
    ),
    Page(
        "workflow",
        "workflow.yaml",
        "The work that each revision does, in order. Without it, one `deploy2env` per"
        " target is generated, after the cloud resources, if there are any. Each step type has its own page in [steps](../steps/).",
        VALID / "envs/prod/workflow.yaml",
        (
            (
                "steps follow each other; a step that failed skips those after it, but for"
                " `if: always`;"
            ),
            "`go-live` waits for an approval commit, and is left out for a rollback.",
        ),
    ),
    Page(
        "approvals",
        "approvals.yaml and approvals/*.yaml",
        "Decisions about revisions of the environment in whose folder they stand."
        " `gitops-wf approve`, `reject`, `retry`, `redeploy` and `abort` write them.",
        VALID / "envs/prod/approvals.yaml",
        (
            (
                "an entry names the revision by its commit, quoted, in at least seven hex"
                " digits;"
            ),
            "it counts for the author of the commit that introduced it;",
            "the last one counts only if what was delivered before has this digest.",
        ),
    ),
)


def page(item: Page) -> str:
    """The page as it should be."""
    schema = schema_for(item.kind, CATALOGUE)
    points = "".join(f"- {point}\n" for point in item.explained)
    return (
        "<!-- Written by `python -m tests.file_pages` from the JSON Schema -->\n"
        f"# {item.title}\n\n{item.about}\n\n"
        f"```yaml\n{(ROOT / item.example).read_text()}```\n\n"
        f"In this example:\n\n{points}\n"
        "## Fields\n\n"
        f"`gitops-wf schema {item.kind}` prints the JSON Schema for editors.\n\n"
        f"{table(('field', 'takes', 'default', 'means'), rows(schema))}"
    )


if __name__ == "__main__":
    for item in FILES:
        (PAGES / f"{item.kind}.md").write_text(page(item))
