"""Assertions that are encrypted for us: an AES key wrapped with RSA-OAEP, and the assertion under it (https://www.w3.org/TR/xmlenc-core1/).

AES in GCM proves itself what it is. In CBC mode it does not: whoever may try changed texts, and tells how each is refused, reads the
assertion bit by bit. So CBC is opened only inside a response that is signed as a whole, and every failure is the same one. The key
transport of PKCS #1 v1.5, which has the same weakness, is not there.
"""

import binascii
from base64 import b64decode
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree

from sekisho.credentials.saml.errors import Invalid

_XENC, _XENC11, _DSIG = "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2009/xmlenc11#", "http://www.w3.org/2000/09/xmldsig#"
_NAMESPACES = {"ds": _DSIG, "xenc": _XENC, "xenc11": _XENC11}
_OAEP_SHA1, _OAEP = f"{_XENC}rsa-oaep-mgf1p", f"{_XENC11}rsa-oaep"
_GCM = {f"{_XENC11}aes128-gcm": 16, f"{_XENC11}aes192-gcm": 24, f"{_XENC11}aes256-gcm": 32}
_CBC = {f"{_XENC}aes128-cbc": 16, f"{_XENC}aes192-cbc": 24, f"{_XENC}aes256-cbc": 32}
"""Bytes of the key, by algorithm."""
_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    f"{_DSIG}sha1": hashes.SHA1,  # which signs nothing here: OAEP asks no more of it than to spread bits
    f"{_XENC}sha256": hashes.SHA256,
    f"{_XENC}sha512": hashes.SHA512,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashes.SHA384,
}
_MASKS: dict[str, type[hashes.HashAlgorithm]] = {
    f"{_XENC11}mgf1sha1": hashes.SHA1,
    f"{_XENC11}mgf1sha256": hashes.SHA256,
    f"{_XENC11}mgf1sha384": hashes.SHA384,
    f"{_XENC11}mgf1sha512": hashes.SHA512,
}
_NONCE, _TAG, _BLOCK = 12, 16, 16  # bytes


def opened(encrypted: etree._Element, private_keys: Sequence[bytes], *, within_signature: bool) -> bytes:
    """The document of the assertion, by one of the keys (PEM); Invalid, always with the same words, where none opens it."""
    try:
        return _opened(encrypted, private_keys, within_signature=within_signature)
    except (ValueError, TypeError, KeyError, InvalidTag, binascii.Error):
        raise Invalid("The SAML assertion could not be decrypted.") from None


def _opened(encrypted: etree._Element, private_keys: Sequence[bytes], *, within_signature: bool) -> bytes:
    data = _only(encrypted, "xenc:EncryptedData")
    wrapped = encrypted.findall(".//xenc:EncryptedKey", _NAMESPACES)
    if len(wrapped) != 1:
        raise ValueError("not one key")
    algorithm = _algorithm(data)
    size = (_GCM | (_CBC if within_signature else {}))[algorithm]
    key = _unwrapped(wrapped[0], private_keys, size)
    content = _value(data)
    if algorithm in _GCM:
        return AESGCM(key).decrypt(content[:_NONCE], content[_NONCE:], None)
    decryptor = Cipher(algorithms.AES(key), modes.CBC(content[:_BLOCK])).decryptor()
    padded = decryptor.update(content[_BLOCK:]) + decryptor.finalize()
    if not padded or not 1 <= padded[-1] <= _BLOCK:
        raise ValueError("no padding")
    return padded[: -padded[-1]]


def _unwrapped(wrapped: etree._Element, private_keys: Sequence[bytes], size: int) -> bytes:
    oaep = _oaep(wrapped)
    value = _value(wrapped)
    for one in private_keys:
        private = load_pem_private_key(one, None, unsafe_skip_rsa_key_validation=True)  # 40 ms; it was validated when it was stored
        if not isinstance(private, rsa.RSAPrivateKey):
            continue
        try:
            key = private.decrypt(value, oaep)
        except ValueError:
            continue
        if len(key) == size:
            return key
    raise ValueError("no key of ours")


def _oaep(wrapped: etree._Element) -> padding.OAEP:
    algorithm = _algorithm(wrapped)
    digest = wrapped.find("xenc:EncryptionMethod/ds:DigestMethod", _NAMESPACES)
    mask = wrapped.find("xenc:EncryptionMethod/xenc11:MGF", _NAMESPACES)
    if algorithm not in (_OAEP_SHA1, _OAEP) or (algorithm == _OAEP_SHA1 and mask is not None):
        raise ValueError("another transport of keys")
    digested = _DIGESTS[digest.get("Algorithm", "")]() if digest is not None else hashes.SHA1()  # noqa: S303  # OAEP's default
    masked = _MASKS[mask.get("Algorithm", "")]() if mask is not None else hashes.SHA1()  # noqa: S303  # OAEP's default
    return padding.OAEP(mgf=padding.MGF1(algorithm=masked), algorithm=digested, label=None)


def _only(element: etree._Element, path: str) -> etree._Element:
    found = element.find(path, _NAMESPACES)
    if found is None:
        raise ValueError("not encrypted")
    return found


def _algorithm(element: etree._Element) -> str:
    return str(_only(element, "xenc:EncryptionMethod").get("Algorithm", ""))


def _value(element: etree._Element) -> bytes:
    text = _only(element, "xenc:CipherData/xenc:CipherValue").text or ""
    return b64decode("".join(text.split()), validate=True)
