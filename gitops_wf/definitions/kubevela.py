"""What KubeVela calls otherwise: the mend for a file that was written for it.

docs/reference/steps.md compares all step types, property by property.
"""

from collections.abc import Mapping

_TARGET = "a step names its `target`"

TYPES: Mapping[str, str] = {
    "deploy2runtime": "write deploy2env with `targets`",
    "apply-application": "write deploy2env",
    "apply-application-in-parallel": "write deploy2env",
    "apply-remaining": "write deploy2env; its `path` or `selector` chooses a part",
    "apply-component": "write deploy2env with `path` or `selector`",
    "apply-deployment": "write apply-object with `wait: true`, or put the Deployment"
    " among the manifests of a deploy2env",
    "apply-app": "write deploy2env; an application is an environment's folder",
    "read-app": "write depends-on with `environment`, or read-object for an object on a"
    " cluster",
    "depends-on-app": "write depends-on with `environment`, or with `object` for what"
    " is on a cluster",
    "export-data": "write export2config or export2secret with `targets`",
    "export-service": "write apply-object for the Service and for its EndpointSlice",
    "create-config": "write export2config, or export2secret for what is secret",
    "read-config": "write read-object",
    "list-config": "write read-object for each that is meant",
    "delete-config": "write delete-object",
    "apply-terraform-config": "put the Configuration among the manifests, and write"
    " deploy-cloud-resource",
    "apply-terraform-provider": "put the Provider among the manifests of an environment"
    " whose target is the hub",
    "generate-jdbc-connection": "write export2secret with `secretKeyRef`, or give the"
    " connection's own Secret to whoever needs it",
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
    "run-job": {"cluster": _TARGET},
    "apply-object": {"cluster": _TARGET},
    "read-object": {"cluster": _TARGET},
    "export2config": {"cluster": _TARGET},
    "export2secret": {"cluster": _TARGET},
    "clean-jobs": {"labelselector": "write `selector`, as text: app=web,tier=db"},
    "collect-service-endpoints": {
        "components": "write `name`, that of the object",
        "protocal": "write `protocol`",
    },
}
"""For properties of a step type, by its name and path here: what to write instead."""
