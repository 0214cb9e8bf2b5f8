#!/usr/bin/env python3
"""Computes test vectors of the security suites with pyca/cryptography, an implementation independent of ours.

    compute_vectors.py FOLDER [--seed N] [--part NAME]

Writes FOLDER/computed-security.json in the schema of tests/data/security.json: everything that no foreign DLMS stack
can check here (suite 2 above all). Keys, titles and contents are drawn anew unless a seed is given; the seed is printed.
"""
import argparse
import datetime
import hashlib
import json
import pathlib
import random
import struct

from cryptography import x509
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

CURVES = {1: ec.SECP256R1(), 2: ec.SECP384R1()}
ORDERS = {
    1: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    2: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}
HASHES = {1: hashes.SHA256(), 2: hashes.SHA384()}
AES_GCM = {0: bytes.fromhex("60857405080300"), 1: bytes.fromhex("60857405080300"), 2: bytes.fromhex("60857405080301")}


class Vectors:
    """Draws keys and contents and collects the vectors."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.list = []

    def octets(self, low, high=None):
        return self.random.randbytes(low if high is None else self.random.randint(low, high))

    def title(self):
        # A first octet that no length of a header field has, so that mechanism 7 may sign for it.
        return bytes([self.random.randint(0x41, 0x5A)]) + self.octets(7)

    def key(self, suite):
        return self.octets(32 if suite == 2 else 16)

    def private(self, suite):
        return ec.derive_private_key(self.random.randrange(1, ORDERS[suite]), CURVES[suite])

    def add(self, name, algorithm, inputs, expected, outcome=None):
        vector = {
            "name": f"computed-{name}",
            "source": "tests/interop/peers/compute_vectors.py",
            "algorithm": algorithm,
            "inputs": {key: text(value) for key, value in inputs.items()},
            "expected": {key: text(value) for key, value in expected.items()},
            "how_verified": "computed with pyca/cryptography",
        }
        if outcome:
            vector["outcome"] = outcome
        self.list.append(vector)


def text(value):
    return value.hex().upper() if isinstance(value, bytes) else value


def size(suite):
    return 48 if suite == 2 else 32


def scalar(suite, key):
    return key.private_numbers().private_value.to_bytes(size(suite), "big")


def public(suite, key):
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(size(suite), "big") + numbers.y.to_bytes(size(suite), "big")


def sign(suite, key, message):
    der = key.sign(message, ec.ECDSA(HASHES[suite], deterministic_signing=True))
    r, s = decode_dss_signature(der)
    return r.to_bytes(size(suite), "big") + s.to_bytes(size(suite), "big")


def shared(key, other):
    return key.exchange(ec.ECDH(), other.public_key())


def derive(suite, z, other_info):
    digest = (hashlib.sha384 if suite == 2 else hashlib.sha256)(b"\0\0\0\1" + z + other_info).digest()
    return digest[: 32 if suite == 2 else 16]


def length(count):
    if count < 0x80:
        return bytes([count])
    octets = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def field(value):
    return length(len(value)) + value


def protect(control, ek, ak, title, counter, header, information):
    """SC, IC, text and tag, with what went into them."""
    iv = title + struct.pack(">I", counter)
    gcm = AESGCM(ek)
    if control & 0x30 == 0x10:
        aad = bytes([control]) + ak + header + information
        ciphertext, tag = information, gcm.encrypt(iv, b"", aad)[:12]
    elif control & 0x30 == 0x20:
        aad, ciphertext, tag = b"", gcm.encrypt(iv, information, b"")[: len(information)], b""
    else:
        aad = bytes([control]) + ak + header
        sealed = gcm.encrypt(iv, information, aad)
        ciphertext, tag = sealed[: len(information)], sealed[len(information) : len(information) + 12]
    return {
        "iv": iv,
        "aad": aad,
        "ciphertext": ciphertext,
        "tag": tag,
    }, bytes([control]) + struct.pack(">I", counter) + ciphertext + tag


def ciphering(vectors):
    """Every carrier in every suite, authenticated, encrypted, and both."""
    for suite in (0, 1, 2):
        for bits, kind in ((0x10, "a"), (0x20, "e"), (0x30, "ae")):
            control = bits | suite
            ek, ak, title = vectors.key(suite), vectors.key(suite), vectors.title()
            counter = vectors.random.randrange(0xFFFFFFFF)
            information = b"\xc0" + vectors.octets(1, 400)
            made, content = protect(control, ek, ak, title, counter, b"", information)
            common = {
                "security_control": bytes([control]),
                "ek": ek,
                "ak": ak,
                "system_title": title,
                "invocation_counter": struct.pack(">I", counter),
                "plaintext": information,
            }
            vectors.add(
                f"glo-s{suite}-{kind}",
                "protect-service-specific",
                {"apdu_tag": b"\xc8", **common},
                {**made, "apdu": b"\xc8" + field(content)},
            )
            vectors.add(
                f"general-glo-s{suite}-{kind}",
                "protect-general-glo",
                {"carried_title": title, **common},
                {**made, "apdu": b"\xdb" + field(title) + field(content)},
            )


def general_ciphering(vectors):
    """general-ciphering with each kind of key information."""
    for suite in (0, 1, 2):
        for kind in ("identified", "wrapped", "1e1s", "0e2s"):
            if suite == 0 and kind in ("1e1s", "0e2s"):
                continue
            originator, recipient = vectors.title(), vectors.title()
            transaction = vectors.octets(1, 16)
            ek, ak, more = vectors.key(suite), vectors.key(suite), {}
            if kind == "identified":
                key_info = b"\x01\x00\x00"
            elif kind == "wrapped":
                kek = vectors.key(suite)
                more = {"kek": kek}
                key_info = b"\x01\x01\x00" + field(keywrap.aes_key_wrap(kek, ek))
            elif kind == "1e1s":
                ek, key_info = one_pass(vectors, suite, originator, recipient)
            else:
                ek, key_info = static(vectors, suite, originator, recipient, transaction)
            header = field(transaction) + field(originator) + field(recipient) + field(b"") + field(b"")
            control = 0x30 | suite
            counter = 0 if kind != "identified" else vectors.random.randrange(0xFFFFFFFF)
            information = b"\xc0" + vectors.octets(1, 300)
            made, content = protect(control, ek, ak, originator, counter, header, information)
            vectors.add(
                f"general-ciphering-s{suite}-{kind}",
                "protect-general-ciphering",
                {
                    "security_control": bytes([control]),
                    "ek": ek,
                    "ak": ak,
                    "transaction_id": transaction,
                    "originator_system_title": originator,
                    "recipient_system_title": recipient,
                    "date_time": b"",
                    "other_information": b"",
                    "key_info": key_info,
                    "invocation_counter": struct.pack(">I", counter),
                    "plaintext": information,
                    **more,
                },
                {**made, "header": header, "apdu": b"\xdd" + header + key_info + field(content)},
            )


def one_pass(vectors, suite, originator, recipient):
    """C(1e, 1s): the key and the key information."""
    ephemeral, recipients, signing = (vectors.private(suite) for _ in range(3))
    point = public(suite, ephemeral)
    signature = sign(suite, signing, point)
    z = shared(ephemeral, recipients)
    other_info = AES_GCM[suite] + originator + recipient
    key = derive(suite, z, other_info)
    key_info = b"\x01\x02" + field(b"\x01") + field(point + signature)
    vectors.add(
        f"1e1s-s{suite}-{len(vectors.list)}",
        "key-agreement-1e1s",
        {
            "suite": bytes([suite]),
            "originator_system_title": originator,
            "recipient_system_title": recipient,
            "originator_ephemeral_private_key": scalar(suite, ephemeral),
            "recipient_static_private_key": scalar(suite, recipients),
            "originator_signing_private_key": scalar(suite, signing),
        },
        {
            "originator_ephemeral_public_key": point,
            "recipient_static_public_key": public(suite, recipients),
            "originator_signing_public_key": public(suite, signing),
            "signed_data": point,
            "signature": signature,
            "z": z,
            "other_info": other_info,
            "key": key,
            "key_info": key_info,
        },
    )
    return key, key_info


def static(vectors, suite, originator, recipient, transaction):
    """C(0e, 2s): the key and the key information."""
    originators, recipients = vectors.private(suite), vectors.private(suite)
    z = shared(originators, recipients)
    other_info = AES_GCM[suite] + originator + field(transaction) + recipient
    key, key_info = derive(suite, z, other_info), b"\x01\x02" + field(b"\x02") + field(b"")
    vectors.add(
        f"0e2s-s{suite}-{len(vectors.list)}",
        "key-agreement-0e2s",
        {
            "suite": bytes([suite]),
            "originator_system_title": originator,
            "recipient_system_title": recipient,
            "originator_static_private_key": scalar(suite, originators),
            "recipient_static_private_key": scalar(suite, recipients),
            "transaction_id": transaction,
        },
        {
            "originator_static_public_key": public(suite, originators),
            "recipient_static_public_key": public(suite, recipients),
            "z": z,
            "other_info": other_info,
            "key": key,
            "key_info": key_info,
        },
    )
    return key, key_info


def ephemeral_agreement(vectors):
    """C(2e, 0s), the method key_agreement."""
    for suite in (1, 2):
        for key_id in (0, 1, 2):
            client, server = vectors.title(), vectors.title()
            client_key, server_key, client_signing, server_signing = (vectors.private(suite) for _ in range(4))
            client_data = bytes([key_id]) + public(suite, client_key)
            server_data = bytes([key_id]) + public(suite, server_key)
            client_signature = sign(suite, client_signing, client_data)
            server_signature = sign(suite, server_signing, server_data)
            z = shared(client_key, server_key)
            other_info = AES_GCM[suite] + client + server

            def method(data, signature):
                return b"\x01\x01\x02\x02\x16" + bytes([key_id]) + b"\x09" + field(data[1:] + signature)

            vectors.add(
                f"2e0s-s{suite}-{key_id}",
                "key-agreement-2e0s",
                {
                    "suite": bytes([suite]),
                    "key_id": bytes([key_id]),
                    "system_title_c": client,
                    "system_title_s": server,
                    "client_ephemeral_private_key": scalar(suite, client_key),
                    "server_ephemeral_private_key": scalar(suite, server_key),
                    "client_signing_private_key": scalar(suite, client_signing),
                    "server_signing_private_key": scalar(suite, server_signing),
                },
                {
                    "client_ephemeral_public_key": public(suite, client_key),
                    "server_ephemeral_public_key": public(suite, server_key),
                    "client_signing_public_key": public(suite, client_signing),
                    "server_signing_public_key": public(suite, server_signing),
                    "client_signed_data": client_data,
                    "client_signature": client_signature,
                    "server_signed_data": server_data,
                    "server_signature": server_signature,
                    "z": z,
                    "other_info": other_info,
                    "key": derive(suite, z, other_info),
                    "method_parameter": method(client_data, client_signature),
                    "method_response": method(server_data, server_signature),
                },
            )


def hls(vectors):
    """The proofs of mechanisms 6 and 7."""
    for suite in (1, 2):
        client, server = vectors.title(), vectors.title()
        client_key, server_key = vectors.private(suite), vectors.private(suite)
        ctos, stoc = vectors.octets(32, 64), vectors.octets(32, 64)
        pass3, pass4 = client + server + stoc + ctos, server + client + ctos + stoc
        vectors.add(
            f"hls7-s{suite}",
            "hls-ecdsa",
            {
                "suite": bytes([suite]),
                "client_private_key": scalar(suite, client_key),
                "server_private_key": scalar(suite, server_key),
                "system_title_c": client,
                "system_title_s": server,
                "ctos": ctos,
                "stoc": stoc,
            },
            {
                "client_public_key": public(suite, client_key),
                "server_public_key": public(suite, server_key),
                "pass3_message": pass3,
                "pass3_f": sign(suite, client_key, pass3),
                "pass4_message": pass4,
                "pass4_f": sign(suite, server_key, pass4),
            },
        )


def signing(vectors):
    """general-signing: built, verified, and refused once changed."""
    for suite in (1, 2):
        key, originator, recipient = vectors.private(suite), vectors.title(), vectors.title()
        transaction, content = vectors.octets(0, 16), b"\xc0" + vectors.octets(1, 200)
        header = field(transaction) + field(originator) + field(recipient) + field(b"") + field(b"")
        signature = sign(suite, key, header + content)
        apdu = b"\xdf" + header + field(content) + field(signature)
        vectors.add(
            f"general-signing-s{suite}",
            "general-signing",
            {
                "suite": bytes([suite]),
                "private_key": scalar(suite, key),
                "transaction_id": transaction,
                "originator_system_title": originator,
                "recipient_system_title": recipient,
                "date_time": b"",
                "other_information": b"",
                "content": content,
            },
            {
                "public_key": public(suite, key),
                "signed_data": header + content,
                "signature": signature,
                "apdu": apdu,
            },
        )
        inputs = {
            "suite": bytes([suite]),
            "public_key": public(suite, key),
            "certified_system_title": originator,
            "own_system_title": recipient,
        }
        vectors.add(f"general-signing-verify-s{suite}", "general-signing-verify", {**inputs, "apdu": apdu}, {}, "accept")
        # Anywhere behind the lengths of the header: in the content, or in the signature.
        bit = vectors.random.randrange(8 * (1 + len(header) + len(field(content)) - len(content)), 8 * len(apdu))
        changed = bytearray(apdu)
        changed[bit // 8] ^= 1 << bit % 8
        vectors.add(
            f"general-signing-changed-s{suite}",
            "general-signing-verify",
            {**inputs, "apdu": bytes(changed)},
            {},
            "reject",
        )


# What a layer of protected data does: its protection-type, and the bits of its security control.
AUTHENTICATED, BOTH, SIGNED = (0, 0x10), (2, 0x30), (3, 0)


def data_protection(vectors):
    """Data protection (class 30): what a client writes and what a meter gives, with each key information, and signed."""
    for suite in (0, 1, 2):
        forms = [("identified", [BOTH]), ("identified", [AUTHENTICATED]), ("wrapped", [BOTH])]
        if suite:
            forms += [("1e1s", [BOTH]), ("0e2s", [BOTH]), (None, [SIGNED])]
            for kind in ("identified", "wrapped", "1e1s"):
                forms += [(kind, [SIGNED, BOTH]), (kind, [BOTH, SIGNED])]
        for kind, layers in forms:
            for is_read in (False, True):
                protected_data(vectors, suite, kind, layers, is_read)


def protected_data(vectors, suite, kind, layers, is_read):
    client, server, transaction = vectors.title(), vectors.title(), vectors.octets(1, 16)
    originator, recipient = (server, client) if is_read else (client, server)
    ek, ak, kek = (vectors.key(suite) for _ in range(3))
    guek, more, public_keys = ek, {}, {}
    asked = told = b"\x02\x02\x16\x00\x16\x00"
    key_info = b"\x01\x00\x00"
    if kind == "wrapped":
        guek = vectors.key(suite)
        wrapped = keywrap.aes_key_wrap(kek, ek)
        key_info = b"\x01\x01\x00" + field(wrapped)
        asked, told = (b"\x02\x02\x16\x01\x02\x02\x16\x00\x09" + field(key) for key in (b"", wrapped))
        more["message_key"] = ek
    elif kind in ("1e1s", "0e2s"):
        guek = vectors.key(suite)
        agreement = one_pass if kind == "1e1s" else static
        arguments = (suite, originator, recipient) if kind == "1e1s" else (suite, originator, recipient, transaction)
        ek, key_info = agreement(vectors, *arguments)
        agreed = vectors.list.pop()
        more.update({name: value for name, value in agreed["inputs"].items() if name.endswith("private_key")})
        public_keys.update({name: value for name, value in agreed["expected"].items() if name.endswith("public_key")})
        scheme = key_info[3:4]
        options = b"\x02\x02\x16\x02\x02\x02\x09" + field(scheme) + b"\x09"
        asked, told = (options + field(data) for data in (b"", agreed_data(key_info)))
    if SIGNED in layers:
        if "originator_signing_private_key" in more:
            signing_key = ec.derive_private_key(int(more["originator_signing_private_key"], 16), CURVES[suite])
        else:
            signing_key = vectors.private(suite)
            more["originator_signing_private_key"] = scalar(suite, signing_key)
            public_keys["originator_signing_public_key"] = public(suite, signing_key)
    counter = vectors.random.randrange(0x1000, 0x7FFFFFFF)
    header = field(transaction) + field(originator) + field(recipient) + field(b"") + field(b"")
    texts = [vectors.octets(0, 90) for _ in range(vectors.random.randint(1, 2))]
    values = b"\x02" + length(len(texts)) + b"".join(b"\x09" + field(text) for text in texts)
    protected = values
    for layer in layers:
        if layer == SIGNED:
            signature = sign(suite, signing_key, header + protected)
            protected = b"\xdf" + header + field(protected) + field(signature)
        else:
            _, content = protect(layer[1] | suite, ek, ak, originator, counter, header, protected)
            protected = b"\xdd" + header + key_info + field(content)
    objects = b"\x01" + length(len(texts)) + b"".join(
        b"\x02\x05\x12\x00\x01\x09\x06"
        + bytes([0, 0, 128, 0, place, 255])
        + b"\x0f\x02\x12\x00\x00\x02\x02\x16\x00\x00"
        for place in range(len(texts))
    )

    def parameters(key):
        layer_octets = b"".join(
            b"\x02\x02\x16" + bytes([layer[0]]) + b"\x02\x05\x09" + field(transaction) + b"\x09" + field(originator)
            + b"\x09" + field(recipient) + b"\x09\x00" + (b"\x02\x00" if layer == SIGNED else key)
            for layer in layers
        )
        return b"\x01" + length(len(layers)) + layer_octets

    buffer = b"\x09" + field(protected)
    if is_read:
        method = {
            "parameter": b"\x02\x02" + objects + parameters(asked),
            "returned": b"\x02\x02" + parameters(told) + buffer,
        }
    else:
        method = {"parameter": b"\x02\x03" + objects + parameters(told) + buffer}
    names = {AUTHENTICATED: "a", BOTH: "ae", SIGNED: "s"}
    algorithm = f"data-protection-{'get' if is_read else 'set'}"
    vectors.add(
        f"{algorithm}-s{suite}-{kind or 'signed'}-{'-'.join(names[layer] for layer in layers)}",
        algorithm,
        {
            "suite": bytes([suite]),
            "guek": guek,
            "ak": ak,
            "kek": kek,
            "system_title_c": client,
            "system_title_s": server,
            "transaction_id": transaction,
            "invocation_counter": struct.pack(">I", counter),
            "layers": bytes(layer[0] for layer in layers),
            "key_information": key_info,
            "objects": objects,
            "values": values,
            **more,
        },
        {
            **public_keys,
            "parameters_asked": parameters(asked),
            "parameters": parameters(told),
            "protection_buffer": buffer,
            **method,
        },
    )


def agreed_data(key_info):
    """key-ciphered-data of an agreed key's information."""
    data = key_info[4:]
    return data[1:] if data[0] < 0x80 else data[1 + (data[0] & 0x7F) :]


def certificates(vectors):
    """Requests and certificates."""
    begin, end = datetime.datetime(2024, 1, 1), datetime.datetime(2049, 12, 31, 23, 59, 59)
    for suite in (1, 2):
        title, key, authority = vectors.title(), vectors.private(suite), vectors.private(suite)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title.hex().upper())])
        issuer = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Computed CA {vectors.random.randrange(10**6)}"),
            ]
        )
        request = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(subject)
            .sign(key, HASHES[suite], ecdsa_deterministic=True)
        )
        vectors.add(
            f"pkcs10-s{suite}",
            "pkcs10",
            {"suite": bytes([suite]), "private_key": scalar(suite, key), "system_title": title},
            {
                "public_key": public(suite, key),
                "request_info": request.tbs_certrequest_bytes,
                "csr": request.public_bytes(serialization.Encoding.DER),
            },
        )
        for usage, purpose in (
            ("digital_signature", b"digital-signature"),
            ("key_agreement", b"key-agreement"),
        ):
            serial = vectors.random.randrange(1, 1 << 126)
            usages = dict.fromkeys(
                (
                    "digital_signature",
                    "content_commitment",
                    "key_encipherment",
                    "data_encipherment",
                    "key_agreement",
                    "key_cert_sign",
                    "crl_sign",
                    "encipher_only",
                    "decipher_only",
                ),
                False,
            )
            builder = (
                x509.CertificateBuilder()
                .serial_number(serial)
                .issuer_name(issuer)
                .subject_name(subject)
                .not_valid_before(begin)
                .not_valid_after(end)
                .public_key(key.public_key())
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
                .add_extension(x509.KeyUsage(**{**usages, usage: True}), True)
            )
            certificate = builder.sign(authority, HASHES[suite], ecdsa_deterministic=True)
            der = certificate.public_bytes(serialization.Encoding.DER)
            inputs = {"issuer_public_key": public(suite, authority), "issuer_suite": bytes([suite])}
            serial_octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
            vectors.add(
                f"x509-{usage}-s{suite}",
                "x509-verify",
                {"certificate": der, **inputs},
                {
                    "tbs_certificate": certificate.tbs_certificate_bytes,
                    "system_title": title,
                    "subject_public_key": public(suite, key),
                    "purpose": purpose,
                    "serial": serial_octets,
                    "issuer_name": issuer.public_bytes(),
                    "subject_name": subject.public_bytes(),
                },
                "accept",
            )
            stranger = vectors.private(suite)
            vectors.add(
                f"x509-{usage}-stranger-s{suite}",
                "x509-verify",
                {"certificate": der, **inputs, "issuer_public_key": public(suite, stranger)},
                {},
                "reject",
            )


PARTS = ("ciphering", "general_ciphering", "ephemeral_agreement", "hls", "signing", "data_protection", "certificates")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--part", choices=PARTS)
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if arguments.seed is None else arguments.seed
    vectors = Vectors(seed)
    for part in PARTS if arguments.part is None else [arguments.part]:
        globals()[part](vectors)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    path = arguments.folder / "computed-security.json"
    path.write_text(json.dumps(vectors.list, indent=1) + "\n")
    print(f"{len(vectors.list)} vectors, seed {seed}")


if __name__ == "__main__":
    main()
