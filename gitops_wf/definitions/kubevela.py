"""What KubeVela calls otherwise: the mend for a file that was written for it.

docs/reference/steps.md compares all step types, property by property.
"""

from collections.abc import Mapping

TYPES: Mapping[str, str] = {
    "deploy2runtime": "write deploy2env with `targets`",
    "apply-application": "write deploy2env",
    "apply-application-in-parallel": "write deploy2env",
    "apply-remaining": "write deploy2env; its `path` or `selector` chooses a part",
    "apply-component": "write deploy2env with `path` or `selector`",
    "apply-deployment": "put the Deployment among the manifests of a deploy2env",
    "export-data": "put the ConfigMap or Secret among the manifests of a deploy2env",
    "export-service": "put the Service and its EndpointSlice among the manifests of a"
    " deploy2env",
    "create-config": "put the Secret among the manifests of a deploy2env",
    "delete-config": "take the Secret out of the manifests of a deploy2env",
    "apply-terraform-config": "put the Configuration among the manifests, and write"
    " deploy-cloud-resource",
    "apply-terraform-provider": "put the Provider among the manifests of an environment"
    " whose target is the hub",
    "chat-gpt": "ask it with a webhook step",
    "restart-workflow": "commit a `redeploy` (gitops-wf redeploy)",
    "build-push-image": "let CI build it, and commit the image's digest",
    "vela-cli": "run it in a Job: run-job",
    "addon-operation": "deliver the add-on's manifests with deploy2env",
}
"""For each step type of KubeVela that has no namesake here: what to write."""

PROPERTIES: Mapping[str, Mapping[str, str]] = {
    "deploy2env": {
        "env": "a step names its `target`, and without one delivers to every target of"
        " the environment",
        "policy": "a step names its `target` itself",
        "policies": "a step names its `targets` itself, and what differs between them"
        " stands in overlays (`path`)",
        "auto": "put a suspend step before it",
        "parallelism": "write `parallel: true`; how much is done at once is"
        " `concurrency` of the daemon config",
    },
    "deploy-cloud-resource": {
        "env": "an environment is a folder with its own workflow; the Secret goes to"
        " its targets, or to those named in `targets`",
        "policy": "what differs between environments stands in their folders",
    },
    "share-cloud-resource": {
        "env": "the cloud resources are those of the folder whose workflow this is",
        "policy": "what differs between environments stands in their folders",
        "placements.cluster": "name a target of the daemon config as `target`",
    },
    "run-job": {"cluster": "a step names its `target`"},
}
"""For properties of a step type, by its name and path here: what to write instead."""
