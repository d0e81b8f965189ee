"""export2secret: keeps secret values in a Secret on a target.

A value is resolved when it is written, and goes from its source to the target: it is
in no file, output, memo, message or row of ours.
"""

import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, Self, cast

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gitops_wf.core.errors import TerminalError
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Reason
from gitops_wf.core.secret import Secret
from gitops_wf.delivery import (
    Given,
    GivenRunner,
    Order,
    TargetProperties,
    all_at_once,
    chosen_targets,
    delivery_for,
    given_object,
    refusal,
)
from gitops_wf.delivery.granted import GrantedSecrets
from gitops_wf.ports.cluster import Clusters
from gitops_wf.ports.properties import Properties, SecretKey, SecretSource
from gitops_wf.ports.runner import Capabilities, StepContext, StepType
from gitops_wf.ports.secrets import Secrets

DOCKER_HUB = "https://index.docker.io/v1/"
DOCKER_TYPE = "kubernetes.io/dockerconfigjson"


class ClusterSecretKey(Properties):
    """A key of a Secret that is on the target already."""

    name: str = Field(description="Name of the Secret.")
    key: str = Field(description="Key in it.")
    namespace: str | None = Field(
        default=None, description="Its namespace; default: that of the new one."
    )


class Datum(Properties):
    """One value: text that is no secret, or where a secret value stands."""

    value: str | None = Field(
        default=None, description="Text that may be read in Git, such as a user's name."
    )
    secret_ref: SecretKey | None = Field(
        default=None,
        description="A secret of the daemon config; its grant must name the "
        "environment and the target.",
    )
    secret_key_ref: ClusterSecretKey | None = Field(
        default=None, description="A key of a Secret on the target."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"value": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = (self.value, self.secret_ref, self.secret_key_ref)
        if sum(each is not None for each in given) != 1:
            raise ValueError("write text, {secretRef: …} or {secretKeyRef: …}")
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, handler(core_schema)]}


class DockerRegistry(Properties):
    """How to log in to a registry of images."""

    username: Datum = Field(description="The user: text, or a reference.")
    password: SecretSource = Field(
        description="The password: {secretRef: {name, key}}."
    )
    server: str = Field(default=DOCKER_HUB, description="The registry.")


class Export2SecretProperties(TargetProperties):
    """What the step takes; the names are KubeVela's."""

    secret_name: str = Field(description="Name of the Secret.")
    namespace: str | None = Field(
        default=None, description="Its namespace; default: the target's."
    )
    type: str | None = Field(
        default=None, description="Its type, as Kubernetes has it; default: Opaque."
    )
    kind: Literal["generic", "docker-registry"] = Field(
        default="generic",
        description="`docker-registry` makes it of dockerRegistry, to pull images.",
    )
    data: Mapping[str, Datum] = Field(
        default_factory=dict,
        description="Its values by key: text, {secretRef: {name, key}} or "
        "{secretKeyRef: {name, key}}.",
    )
    docker_registry: DockerRegistry | None = Field(
        default=None, description="The login, with kind: docker-registry."
    )
    force: bool = Field(
        default=False,
        description="Delete and recreate it where its type changed or is immutable.",
    )
    force_conflicts: bool = Field(
        default=False, description="Take over keys that other managers own."
    )

    @model_validator(mode="after")
    def _by_kind(self) -> Self:
        if self.kind == "docker-registry":
            if self.docker_registry is None:
                raise ValueError("kind: docker-registry needs dockerRegistry")
            if self.data or self.type:
                raise ValueError("data and type go with kind: generic")
        elif self.docker_registry is not None:
            raise ValueError("dockerRegistry goes with kind: docker-registry")
        elif not self.data:
            raise ValueError("data: give it a key at least")
        return self


class SecretMaker:
    """Resolves the values of a step into a Secret; keeps none of them."""

    def __init__(self, clusters: Clusters, secrets: Secrets) -> None:
        self._clusters = clusters
        self._secrets = secrets

    def gives(self, context: StepContext, order: Order) -> Given:
        """Return the Secret with its values.

        Errors: TerminalError (SecretNotGranted, SecretNotFound, TargetNotAllowed).
        """
        properties = cast("Export2SecretProperties", context.properties)
        place = properties.namespace or self._clusters.namespace(order.target)
        manifest: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": properties.secret_name, "namespace": place},
        }
        if properties.docker_registry is not None:
            login = self._login(order, properties.docker_registry, place)
            manifest |= {"type": DOCKER_TYPE, "data": {".dockerconfigjson": login}}
        else:
            manifest["data"] = {
                key: self._encoded(order, datum, place)
                for key, datum in properties.data.items()
            }
            if properties.type:
                manifest["type"] = properties.type
        return Given(
            source=given_object(manifest, str(context.step)),
            force=properties.force,
            force_conflicts=properties.force_conflicts,
        )

    def _encoded(self, order: Order, datum: Datum, place: str) -> str:
        """Return a value as a Secret's data has it, in base64."""
        if datum.value is not None:
            return _base64(datum.value)
        if datum.secret_ref is not None:
            return _base64(self._granted(order, datum.secret_ref).reveal())
        assert datum.secret_key_ref is not None
        return self._copied(order, datum.secret_key_ref, place)

    def _granted(self, order: Order, ref: SecretKey) -> Secret:
        granted = GrantedSecrets(secrets=self._secrets, environment=order.id)
        source = {"secretRef": ref.model_dump(by_alias=True)}
        return granted.written(source, target=order.target)

    def _copied(self, order: Order, ref: ClusterSecretKey, place: str) -> str:
        """Return a value of a Secret that the environment may read itself."""
        namespace = ref.namespace or place
        name = ObjectRef(group="", kind="Secret", namespace=namespace, name=ref.name)
        refused = refusal(name, self._clusters.allowed(order.target))
        if refused:
            raise TerminalError(refused, reason=Reason.TARGET_NOT_ALLOWED)
        cluster = self._clusters.cluster(order.target, order.id)
        resource = cluster.resource("v1", "Secret")
        live = cluster.get(resource, namespace, ref.name)
        values = ((live or {}).get("data")) or {}
        if ref.key not in values:
            missing = "is not there" if live is None else f"has no key {ref.key}"
            raise TerminalError(f"{name} {missing}", reason="SecretNotFound")
        return str(values[ref.key])

    def _login(self, order: Order, registry: DockerRegistry, place: str) -> str:
        """Return a config.json of Docker with one login, in base64.

        https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets
        """
        encoded = self._encoded(order, registry.username, place)
        user = base64.b64decode(encoded).decode("utf-8", "replace")
        password = self._granted(order, registry.password.secret_ref).reveal()
        login = {
            "username": user,
            "password": password,
            "auth": _base64(f"{user}:{password}"),
        }
        return _base64(json.dumps({"auths": {registry.server: login}}))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _make(capabilities: Capabilities) -> GivenRunner:
    maker = SecretMaker(capabilities.clusters, capabilities.secrets)
    return GivenRunner(capabilities.shared(delivery_for), maker.gives)


STEP_TYPE = StepType(
    name="export2secret",
    properties=Export2SecretProperties,
    make=_make,
    default_timeout=timedelta(minutes=5),
    targets=chosen_targets,
    at_once=all_at_once,
    output_roots=("changes", "digest", "output"),
    owns_objects=True,
    summary="keep secret values in a Secret on a target",
)
