from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from gitops_wf.sandbox.http.protobuf import decode_envelope
from gitops_wf.sandbox.mutation import Mutation
from gitops_wf.sandbox.resources import ResourceTable
from gitops_wf.sandbox.statuses import ApiError

DATA = Path(__file__).parent / "data"
SENT = json.loads((DATA / "kubectl_protobuf.json").read_text())


def as_stored(manifest: dict) -> dict:
    """The object as the server keeps it; Go's protobuf writes zeros that JSON omits."""
    table = ResourceTable()
    resource = table.by_kind(manifest["apiVersion"], manifest["kind"])
    assert resource is not None
    # A status in a request says nothing; the server sets its own.
    body = {key: value for key, value in manifest.items() if key != "status"}
    return Mutation(table).complete(resource, body)


@pytest.mark.parametrize("sent", SENT, ids=lambda sent: sent["json"]["kind"])
def test_what_kubectl_sends_is_read_as_the_same_object(sent):
    got = decode_envelope(base64.b64decode(sent["base64"]))

    assert as_stored(got) == as_stored(sent["json"])


@pytest.mark.parametrize("cut", [5, 20, 40])
def test_a_cut_body_is_a_client_error_and_never_a_crash(cut):
    raw = base64.b64decode(SENT[0]["base64"])[:cut]

    with pytest.raises(ApiError) as refused:
        decode_envelope(raw)

    assert refused.value.code in (400, 415)


def test_a_kind_that_is_not_known_is_an_unsupported_media_type():
    body = b"k8s\x00\x0a\x0a\x0a\x02v1\x12\x04Nope\x12\x00"

    with pytest.raises(ApiError) as refused:
        decode_envelope(body)

    assert refused.value.code == 415
