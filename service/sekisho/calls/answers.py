"""Answers that their caller can tell for ours, whoever carries them: signed with the secret that signed the call.

The caller has that secret, and so has a server of ours; nobody else. So nothing has to be fetched and trusted first, as the public key of a
server would be, and an answer is good for no other caller, no other call and no other place in the stream: its signature covers all three.
A caller that has nothing but its certificate has a connection on which both sides are proved.
"""

from sekisho import sigv4
from sekisho.api.authorize.v1 import records_pb2
from sekisho.calls import proofs
from sekisho.calls.bearers import Bearer
from sekisho.calls.call import Call
from sekisho.sigv4 import Signed, bearer
from sekisho.world import KeyRecord


def secret(call: Call, proof: proofs.Proof | None) -> str | None:
    """The secret of the credentials that proved the caller; None where a certificate did, or nothing had to."""
    signed = _signed(proof)
    if signed is None:
        return None
    if signed.session_token is not None:
        return call.node.tokens.open(signed.session_token, signed.access_key_id, call.now).credentials.secret_access_key
    key = call.node.world.get_record(signed.access_key_id)
    return key.secret if isinstance(key, KeyRecord) else None


def sign(call: Call, nonce: bytes, index: int, content: bytes) -> records_pb2.Signed:
    """The content of the message at this place of the stream, signed for the call that sent this nonce."""
    if call.secret is None:
        return records_pb2.Signed(content=content)
    signature = sigv4.sign_answer(call.secret, call.operation.path, nonce, index, content)
    return records_pb2.Signed(content=content, signature=signature)


def _signed(proof: proofs.Proof | None) -> Signed | None:
    if isinstance(proof, proofs.Certified):
        proof = proof.beside
    if isinstance(proof, proofs.CallSignature):
        if not any(name == "authorization" for name, _ in proof.metadata):
            return None
        return sigv4.read_call(proof.metadata)
    return bearer.parse(proof.token).signed if isinstance(proof, Bearer) else None
