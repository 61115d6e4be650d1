"""What is signed: a checkpoint never passes for an export, nor an export for a checkpoint."""

from hypothesis import given
from hypothesis import strategies as st

from mfa_gate.core.checkpoints import export_to_sign, to_sign


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_no_checkpoint_is_signed_as_an_export_is(body: bytes, digest: bytes) -> None:
    assert to_sign(body) != export_to_sign(digest)
    assert export_to_sign(digest).endswith(digest)
