"""From an order to the objects that it wants: read, built, filled in, and in waves."""

from collections.abc import Callable, Iterable
from typing import Any

from gitops_wf.core.errors import TerminalError
from gitops_wf.core.phases import Reason
from gitops_wf.core.secret import Secret
from gitops_wf.delivery.contents import Contents
from gitops_wf.delivery.digest import digest_of
from gitops_wf.delivery.names import ENVIRONMENT_LABEL, label_value
from gitops_wf.delivery.orders import Order, Rendered, owned
from gitops_wf.delivery.rendering import Desired, Source, desired_objects, read_sources
from gitops_wf.delivery.renders import Renders
from gitops_wf.delivery.waves import waves
from gitops_wf.ports.cluster import Cluster, Clusters
from gitops_wf.ports.content import Content
from gitops_wf.ports.manifests import ManifestReader
from gitops_wf.ports.renderer import Renderer
from gitops_wf.ports.secrets import Secrets


class OrderRendering:
    """Renders orders; clusters are only asked which kinds are namespaced."""

    def __init__(
        self,
        *,
        clusters: Clusters,
        content: Content,
        read: ManifestReader,
        digest_key: Secret,
        renderer: Renderer,
        secrets: Secrets,
    ) -> None:
        self._clusters = clusters
        self._content = content
        self._read = read
        self._digest_key = digest_key
        self._renderer = renderer
        self._secrets = secrets
        self._renders = Renders()

    def render(self, order: Order) -> Rendered:
        """Return what the environment wants; nothing is written.

        Errors: DefinitionError (`path:line: …`), TerminalError.
        """
        cluster = self._clusters.cluster(order.target, order.id)
        sources = [
            each for each in self._sources(order) if order.part.takes(each.manifest)
        ]
        objects = desired_objects(
            sources,
            namespace=order.place or self._clusters.namespace(order.target),
            allowed=self._clusters.allowed(order.target),
            is_namespaced=_scopes(cluster, sources),
            part=order.part,
            labels={ENVIRONMENT_LABEL: label_value(order.id)},
        )
        if sources and not objects and not order.environment.allow_empty:
            raise TerminalError(
                f"the selector selects none of the {len(sources)} objects of "
                f"{order.environment.folder}: mend it, or set `allowEmpty: true`",
                reason=Reason.INVALID_DEFINITION,
            )
        manifests = [item.manifest for item in objects]
        return Rendered(
            waves=waves(objects), digest=digest_of(manifests, self._digest_key)
        )

    def _sources(self, order: Order) -> list[Source]:
        """Return the objects that are to be delivered."""
        if order.given is not None:
            return list(order.given)
        contents = self._contents(order)
        files = contents.files(
            order.part,
            order.step_files,
            target=order.target,
            place=order.place or self._clusters.namespace(order.target),
        )
        return read_sources(files, self._read, contents.variables(order.target))

    def read_file(self, order: Order, path: str) -> list[Source]:
        """Return the objects of one file, variables filled in.

        The path is from the repository's root. Errors: DefinitionError, TerminalError.
        """
        contents = self._contents(order)
        variables = contents.variables(order.target)
        return read_sources([contents.one(path)], self._read, variables)

    def _contents(self, order: Order) -> Contents:
        return Contents(
            content=self._content,
            renderer=self._renderer,
            secrets=self._secrets,
            id=order.id,
            environment=order.environment,
            commit=order.commit,
        )

    def wanted(self, order: Order) -> tuple[Desired, ...]:
        """Return what an order renders to and owns, from memory where it is there.

        Errors: those of `render`.
        """
        return owned(self.objects(order))

    def objects(self, order: Order) -> tuple[Desired, ...]:
        """Return all that an order renders to, from memory where it is there.

        Errors: those of `render`.
        """
        key = (
            order.id,
            order.number,
            order.commit,
            order.target,
            order.step,
            order.part,
        )
        if order.given is not None:
            # They may hold what the run found out, and secrets: never kept.
            return self.render(order).objects
        return self._renders.get(key, lambda: self.render(order).objects)


def _scopes(cluster: Cluster, sources: Iterable[Source]) -> Callable[[str, str], bool]:
    """Return whether kinds are namespaced: by the CRDs beside them, else the server."""
    scopes: dict[tuple[str, str], bool] = {}
    for source in sources:
        spec: Any = source.manifest.get("spec")
        if source.manifest["kind"] != "CustomResourceDefinition" or not spec:
            continue
        try:
            for version in spec["versions"]:
                name = f"{spec['group']}/{version['name']}"
                scopes[name, spec["names"]["kind"]] = spec["scope"] == "Namespaced"
        except (KeyError, TypeError) as exc:
            raise source.error(
                f"CustomResourceDefinition/{source.manifest['metadata']['name']}: "
                "spec needs group, scope, names.kind and versions[].name"
            ) from exc

    def is_namespaced(api_version: str, kind: str) -> bool:
        known = scopes.get((api_version, kind))
        return (
            cluster.resource(api_version, kind).is_namespaced
            if known is None
            else known
        )

    return is_namespaced
