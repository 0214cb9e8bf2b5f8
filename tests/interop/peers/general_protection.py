"""general-ciphering and general-signing for the drivers, and a check of every tag that they open.

`gurux-dlms` has the ciphering of general-ciphering, with the header in the additional authenticated data, but writes and
reads neither the APDU around it nor general-signing: both are here, on pyca/cryptography. Sealing goes through the package
where it can (authenticated and encrypted, suites 1 and 2, the counter as transaction-id).

The package does not compare the tag of what is authenticated and encrypted; `verify_tags` has it compared, with a tag of
pyca/cryptography.
"""
import dataclasses
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gurux_dlms.AesGcmParameter import AesGcmParameter
from gurux_dlms.CountType import CountType
from gurux_dlms.GXByteBuffer import GXByteBuffer
from gurux_dlms.GXCiphering import GXCiphering
from gurux_dlms.GXDLMSChippering import GXDLMSChippering
from gurux_dlms.enums import Security
from gurux_dlms.objects.enums import SecuritySuite

import compute_vectors as compute

GENERAL_CIPHERING, GENERAL_SIGNING = 0xDD, 0xDF
KINDS = ("identified", "wrapped", "agreed-1e1s", "agreed-0e2s")


class Refused(ValueError):
    """A tag, a signature or a title is wrong. The text says "Decrypt", as the package does."""


class Reader:
    def __init__(self, octets):
        self.octets, self.at = bytes(octets), 0

    def take(self, count):
        if self.at + count > len(self.octets):
            raise Refused("Decrypt: octets are missing")
        self.at += count
        return self.octets[self.at - count : self.at]

    def field(self):
        first = self.take(1)[0]
        return self.take(first if first < 0x80 else int.from_bytes(self.take(first & 0x7F), "big"))


@dataclasses.dataclass
class Form:
    """How an APDU is protected. `kind` is one of KINDS or None, `control` 0 without ciphering."""

    kind: str | None = None
    control: int = 0
    signed: bool = False
    transaction: bytes = b""


def open_content(control, ek, ak, title, counter, header, body):
    """The information in a ciphered content, whose tag is checked."""
    if not control & 0x10:
        return compute.protect(control, ek, ak, title, counter, header, body)[0]["ciphertext"]
    if len(body) < 12:
        raise Refused("Decrypt: no tag")
    body, tag = body[:-12], body[-12:]
    plain = body
    if control & 0x20:
        # Encrypted twice under one counter is plain again.
        iv = title + struct.pack(">I", counter)
        plain = AESGCM(ek).encrypt(iv, body, b"")[: len(body)]
    made, _ = compute.protect(control, ek, ak, title, counter, header, plain)
    if made["tag"] != tag:
        raise Refused("Decrypt: the tag does not match")
    return plain


class GeneralProtection:
    """One side. Keys are octets, private keys and points as the options of the drivers have them."""

    def __init__(self, suite, own_title, keys):
        self.suite, self.own_title = suite, bytes(own_title)
        self.keys = keys

    def private(self, usage):
        return ec.derive_private_key(int(self.keys[f"{usage}_key"], 16), compute.CURVES[self.suite])

    def peer(self, usage):
        return self.point(bytes.fromhex(self.keys[f"peer_{usage}_key"]))

    def point(self, octets):
        return ec.EllipticCurvePublicKey.from_encoded_point(compute.CURVES[self.suite], b"\x04" + octets)

    def octets(self, name):
        return bytes.fromhex(self.keys[name])

    def verify(self, signature, message):
        half = compute.size(self.suite)
        if len(signature) != 2 * half:
            raise Refused("Decrypt: a signature of another length")
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        try:
            self.peer("signing").verify(encode_dss_signature(r, s), message, ec.ECDSA(compute.HASHES[self.suite]))
        except InvalidSignature as error:
            raise Refused("Decrypt: the signature does not match") from error

    def header(self, transaction, originator, recipient):
        fields = (transaction, originator, recipient, b"", b"")
        return b"".join(compute.field(bytes(value)) for value in fields)

    # -- sealing ---------------------------------------------------------
    def seal(self, apdu, form, recipient, counter):
        recipient = bytes(recipient)
        header = self.header(form.transaction, self.own_title, recipient)
        if form.signed:
            signature = compute.sign(self.suite, self.private("signing"), header + apdu)
            apdu = bytes([GENERAL_SIGNING]) + header + compute.field(apdu) + compute.field(signature)
        if form.kind is None:
            return apdu
        key, key_info = self.make_key(form, recipient)
        by_counter = form.transaction == struct.pack(">Q", counter)
        if form.control & 0x30 == 0x30 and self.suite and by_counter:
            content = self.package_content(form.control, key, recipient, counter, apdu)
        else:
            ak = self.octets("ak")
            _, content = compute.protect(form.control, key, ak, self.own_title, counter, header, apdu)
        return bytes([GENERAL_CIPHERING]) + header + key_info + compute.field(content)

    def package_content(self, control, key, recipient, counter, apdu):
        p = AesGcmParameter(0, bytearray(self.own_title), bytearray(key), bytearray(self.octets("ak")))
        p.security, p.securitySuite = Security(control & 0x30), SecuritySuite(self.suite)
        p.recipientSystemTitle = bytearray(recipient)
        p.invocationCounter = counter
        p.type_ = CountType.DATA | CountType.TAG
        sealed = bytes(GXDLMSChippering.encryptAesGcm(p, bytearray(apdu)))
        return bytes([control]) + struct.pack(">I", counter) + sealed

    def make_key(self, form, recipient):
        """The key of one APDU, and its key-info."""
        if form.kind == "identified":
            return self.octets("ek"), b"\x01\x00\x00"
        if form.kind == "wrapped":
            key = AESGCM.generate_key(8 * len(self.octets("ek")))
            return key, b"\x01\x01\x00" + compute.field(keywrap.aes_key_wrap(self.octets("kek"), key))
        other = compute.AES_GCM[self.suite] + self.own_title
        if form.kind == "agreed-1e1s":
            ephemeral = ec.generate_private_key(compute.CURVES[self.suite])
            point = compute.public(self.suite, ephemeral)
            data = point + compute.sign(self.suite, self.private("signing"), point)
            z = ephemeral.exchange(ec.ECDH(), self.peer("agreement"))
            return compute.derive(self.suite, z, other + recipient), b"\x01\x02\x01\x01" + compute.field(data)
        z = self.private("agreement").exchange(ec.ECDH(), self.peer("agreement"))
        other += compute.field(form.transaction) + recipient
        return compute.derive(self.suite, z, other), b"\x01\x02\x01\x02\x00"

    # -- opening ---------------------------------------------------------
    def open(self, apdu, originator):
        """The plain APDU in any nesting of the two, and how it was protected."""
        apdu, form = bytes(apdu), Form()
        while apdu[0] in (GENERAL_CIPHERING, GENERAL_SIGNING):
            reader = Reader(apdu)
            tag = reader.take(1)[0]
            fields = [reader.field() for _ in range(5)]
            header = apdu[1 : reader.at]
            if fields[1] != bytes(originator) or fields[2] != self.own_title:
                raise Refused("Decrypt: a title of somebody else")
            if form.kind and fields[0] != form.transaction or form.signed and tag == GENERAL_SIGNING:
                raise Refused("Decrypt: layers that do not belong together")
            form.transaction = fields[0]
            if tag == GENERAL_SIGNING:
                apdu = reader.field()
                self.verify(reader.field(), header + apdu)
                form.signed = True
            else:
                form.kind, key = self.find_key(reader, fields)
                content = Reader(reader.field())
                form.control, counter = content.take(1)[0], struct.unpack(">I", content.take(4))[0]
                if form.control & 0x0F != self.suite or not form.control & 0x30:
                    raise Refused("Decrypt: another suite")
                body = content.octets[5:]
                ak = self.octets("ak")
                apdu = open_content(form.control, key, ak, fields[1], counter, header, body)
            if reader.at != len(reader.octets):
                raise Refused("Decrypt: octets are left")
        return apdu, form

    def find_key(self, reader, fields):
        if reader.take(1) != b"\x01":
            return "identified", self.octets("ek")
        choice = reader.take(1)[0]
        if choice == 0 and reader.take(1) == b"\x00":
            return "identified", self.octets("ek")
        if choice == 1 and reader.take(1) == b"\x00":
            return "wrapped", keywrap.aes_key_unwrap(self.octets("kek"), reader.field())
        parameters, data = (reader.field(), reader.field()) if choice == 2 else (b"", b"")
        other = compute.AES_GCM[self.suite] + fields[1]
        if parameters == b"\x01":
            half = 2 * compute.size(self.suite)
            self.verify(data[half:], data[:half])
            z = self.private("agreement").exchange(ec.ECDH(), self.point(data[:half]))
            return "agreed-1e1s", compute.derive(self.suite, z, other + fields[2])
        if parameters == b"\x02" and not data:
            z = self.private("agreement").exchange(ec.ECDH(), self.peer("agreement"))
            other += compute.field(fields[0]) + fields[2]
            return "agreed-0e2s", compute.derive(self.suite, z, other)
        raise Refused("Decrypt: a key that is not known")


def verify_tags():
    """Has every tag compared before the package deciphers."""
    decrypt = GXCiphering.decrypt.__func__

    def checked(cls, settings, p, data):
        apdu = bytes(data.array()[data.position :]) if isinstance(data, GXByteBuffer) else bytes(data)
        reader = Reader(apdu)
        title = bytes(p.systemTitle or b"")
        if reader.take(1)[0] in (0xDB, 0xDC):
            title = reader.field() or title
        content = reader.field()
        counter = struct.unpack(">I", content[1:5])[0]
        key, ak = bytes(p.blockCipherKey), bytes(p.authenticationKey)
        open_content(content[0], key, ak, title, counter, b"", content[5:])
        return decrypt(cls, settings, p, data)

    GXCiphering.decrypt = classmethod(checked)
