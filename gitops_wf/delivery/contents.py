"""The files that hold what an environment wants: plain, built or rendered."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from gitops_wf.core.environment import Environment, HelmChart
from gitops_wf.core.errors import DefinitionError, TerminalError, cut
from gitops_wf.core.identifiers import EnvironmentId, Sha, TargetName
from gitops_wf.core.phases import Reason
from gitops_wf.core.substitution import Variables
from gitops_wf.delivery.choosing import Part, kustomized_folder, manifest_files
from gitops_wf.ports.content import Content, File
from gitops_wf.ports.renderer import Chart, Renderer
from gitops_wf.ports.secrets import SecretRef, Secrets

_ENCRYPTED = re.compile(
    rb'^sops:\s*$|^\s*"sops":|^sops_version=|^\[sops\]\s*$', re.MULTILINE
)
"""How each form of file says that SOPS has encrypted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Finds and makes them; for one environment at one commit."""

    content: Content
    renderer: Renderer
    secrets: Secrets
    id: EnvironmentId
    environment: Environment
    commit: Sha

    def files(
        self, part: Part, step_files: Sequence[str], *, target: TargetName, place: str
    ) -> Sequence[File]:
        """Return them; ``place`` is the namespace of what names none.

        Errors: DefinitionError (`path: …`), TerminalError.
        """
        environment = self.environment
        files = self.content.folder(self.id, self.commit, environment.folder)
        if environment.helm is not None:
            chart = _chart(environment, environment.helm, target, place)
            return self.renderer.helm(self._plain(self._with_watched(files)), chart)
        kustomized = kustomized_folder(files, environment, part)
        if kustomized is not None:
            given = self._plain(self._with_watched(files))
            return [self.renderer.kustomize(given, kustomized)]
        return self._plain(manifest_files(files, environment, part, step_files))

    def one(self, path: str) -> File:
        """Return one file as text, decrypted; the path is from the repository's root.

        Errors: DefinitionError, TerminalError where there is no such file.
        """
        file = self.content.file(self.id, self.commit, path)
        if file is None:
            raise TerminalError(
                f"environment {self.environment.name}: there is no file {cut(path)}",
                reason=Reason.INVALID_DEFINITION,
            )
        [plain] = self._plain([file])
        return plain

    def variables(self, target: TargetName) -> Variables | None:
        """Return what `${name}` stands for; None where it is plain text."""
        declared = self.environment.substitute
        if declared is None:
            return None
        folder = self.environment.folder
        path = f"{folder}/environment.yaml" if folder else "environment.yaml"
        return Variables(
            declared.on(target),
            f"`substitute` of {path}, or in `targets.{target}.substitute` of the"
            " daemon config",
        )

    def _with_watched(self, files: Iterable[File]) -> list[File]:
        given = {file.path: file for file in files}
        for path in self.environment.watch:
            found = self.content.folder(self.id, self.commit, path)
            if not found and (one := self.content.file(self.id, self.commit, path)):
                found = [one]
            given.update((file.path, file) for file in found)
        return list(given.values())

    def _plain(self, files: Iterable[File]) -> list[File]:
        """Decrypt what SOPS has encrypted."""
        return [
            self._decrypted(file) if _ENCRYPTED.search(file.data) else file
            for file in files
        ]

    def _decrypted(self, file: File) -> File:
        if not self.environment.decryption:
            raise DefinitionError(
                file.path,
                None,
                "is encrypted by SOPS: name the key in environment.yaml "
                "(decryption: {secretRef: {name: …}}), a secret of the daemon config",
            )
        name, _, key = self.environment.decryption.partition("/")
        secret = self.secrets.resolve(
            SecretRef(name=name, key=key), environment=self.id
        )
        return self.renderer.decrypt(file, [secret])


def _chart(
    environment: Environment, helm: HelmChart, target: TargetName, place: str
) -> Chart:
    name = PurePosixPath(environment.name).name
    return Chart(
        path=helm.chart,
        release=helm.release or environment.application or name,
        namespace=place,
        values=(*helm.values, *helm.target_values.get(target, ())),
    )
