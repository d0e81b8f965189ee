"""Files that real SOPS encrypted, decrypted with age and OpenPGP keys."""

import shutil
import subprocess

import pyrage
import pytest

from gitops_wf.adapters.renderers import Tools
from gitops_wf.core.errors import DefinitionError, TerminalError
from gitops_wf.core.secret import Secret
from gitops_wf.ports.content import File
from tests.servers import missing
from tests.sops import MANIFEST, encrypted


@pytest.fixture
def tools(tmp_path):
    return Tools(tmp_path / "render")


@pytest.fixture
def identity():
    return pyrage.x25519.Identity.generate()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("envs/prod/secret.yaml", MANIFEST),
        ("envs/prod/settings.env", "PASSWORD=hunter2-hunter2\n"),
        ("envs/prod/settings.json", '{"password": "hunter2-hunter2"}'),
        ("envs/prod/settings.ini", "[db]\npassword = hunter2-hunter2\n"),
        ("envs/prod/key.pem", "hunter2-hunter2 \x01"),
    ],
)
def test_each_form_of_file_is_decrypted_with_an_age_key(
    tmp_path, tools, identity, path, text
):
    file = encrypted(tmp_path, path, text, "--age", str(identity.to_public()))

    plain = tools.decrypt(file, [Secret(str(identity))])

    assert plain.path == path
    assert b"hunter2-hunter2" in plain.data
    assert b"ENC[" not in plain.data


def test_one_of_several_keys_is_enough(tmp_path, tools, identity):
    file = encrypted(
        tmp_path, "secret.yaml", MANIFEST, "--age", str(identity.to_public())
    )
    other = Secret(str(pyrage.x25519.Identity.generate()))

    assert tools.decrypt(file, [other, Secret(str(identity))]).data == MANIFEST.encode()


def test_the_wrong_key_is_told_with_whom_the_file_is_for(tmp_path, tools, identity):
    public = str(identity.to_public())
    file = encrypted(tmp_path, "secret.yaml", MANIFEST, "--age", public)
    other = str(pyrage.x25519.Identity.generate())

    with pytest.raises(DefinitionError) as caught:
        tools.decrypt(file, [Secret(other)])

    assert "sops updatekeys" in str(caught.value)
    assert public in str(caught.value)
    assert other not in str(caught.value)


def test_a_file_that_was_edited_by_hand_is_refused(tmp_path, tools, identity):
    file = encrypted(
        tmp_path,
        "secret.yaml",
        MANIFEST,
        "--age",
        str(identity.to_public()),
        "--encrypted-regex",
        "^stringData$",
    )
    edited = File(path=file.path, data=file.data.replace(b"name: web", b"name: api"))

    with pytest.raises(DefinitionError, match="MAC mismatch"):
        tools.decrypt(edited, [Secret(str(identity))])


@pytest.mark.parametrize("keys", [[], [Secret("hunter2")]], ids=["none", "no key"])
def test_what_is_no_key_is_told_without_it(tools, keys):
    with pytest.raises(TerminalError) as caught:
        tools.decrypt(File(path="secret.yaml", data=b"sops: {}"), keys)

    assert caught.value.reason == "DecryptionKeyInvalid"
    assert "hunter2" not in str(caught.value)


def test_an_openpgp_key_decrypts_from_a_keyring_of_its_own(tmp_path, tools):
    if shutil.which("gpg") is None:
        missing("gpg", "apt-get install gnupg")
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)

    def gpg(*arguments: str) -> str:
        return subprocess.run(
            ["gpg", "--batch", "--quiet", *arguments],
            env={"GNUPGHOME": str(home), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout

    gpg(
        "--passphrase", "", "--pinentry-mode", "loopback",
        "--quick-generate-key", "ops@example.com", "default", "default", "never",
    )  # fmt: skip
    colons = gpg("--list-keys", "--with-colons")
    fingerprint = next(x.split(":")[9] for x in colons.splitlines() if x[:3] == "fpr")
    file = encrypted(
        tmp_path, "secret.yaml", MANIFEST, "--pgp", fingerprint, GNUPGHOME=str(home)
    )
    private = gpg("--armor", "--export-secret-keys", fingerprint)

    plain = tools.decrypt(file, [Secret(private)])

    assert plain.data == MANIFEST.encode()
    subprocess.run(
        ["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, timeout=30
    )
