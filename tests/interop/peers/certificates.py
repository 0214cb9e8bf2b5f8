#!/usr/bin/env python3
"""Certificates by pyca/cryptography: checks those that others issued, and issues some for others to check.

check ROOT CERTIFICATE...     verifies each under ROOT and prints one JSON list of what they say
check-key CERTIFICATE KEY     whether the private key in KEY (PEM) is that of the certificate
issue DIR CURVE TITLE         writes into DIR a root, certificates, a request, and keys in every form of a file
"""

import argparse
import datetime
import json
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CURVES = {"p256": (ec.SECP256R1, hashes.SHA256), "p384": (ec.SECP384R1, hashes.SHA384)}


def raw(public_key):
    point = public_key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return point[1:].hex()


def load(path):
    data = pathlib.Path(path).read_bytes()
    return x509.load_pem_x509_certificate(data) if b"-----" in data else x509.load_der_x509_certificate(data)


def names(name):
    return [attribute.value for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME)]


def extension(certificate, kind):
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def said(certificate, root):
    certificate.verify_directly_issued_by(root)
    usage = extension(certificate, x509.KeyUsage)
    constraints = extension(certificate, x509.BasicConstraints)
    extended = extension(certificate, x509.ExtendedKeyUsage)
    alternative = extension(certificate, x509.SubjectAlternativeName)
    subject_key = extension(certificate, x509.SubjectKeyIdentifier)
    authority_key = extension(certificate, x509.AuthorityKeyIdentifier)
    bits = ["digital_signature", "key_agreement", "key_cert_sign", "crl_sign", "key_encipherment"]
    # The identifiers are computed anew.
    assert subject_key.value == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())
    assert authority_key.value.key_identifier == x509.SubjectKeyIdentifier.from_public_key(root.public_key()).digest
    return {
        "version": certificate.version.name,
        "serial-number": f"{certificate.serial_number:x}",
        "subject": names(certificate.subject),
        "issuer": names(certificate.issuer),
        "not-after": certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "hash": certificate.signature_hash_algorithm.name,
        "public-key": raw(certificate.public_key()),
        "usage": [bit for bit in bits if getattr(usage.value, bit)] if usage.critical else None,
        "authority": bool(constraints and constraints.critical and constraints.value.ca),
        "constrained": constraints is not None,
        "extended": [oid.dotted_string for oid in extended.value] if extended else [],
        "other-names": [
            [name.type_id.dotted_string, name.value.hex()]
            for name in (alternative.value if alternative and alternative.critical else [])
        ],
    }


def certify(folder, request):
    """A certificate (DER) for the signatures of who made the request, by the authority in a folder."""
    folder = pathlib.Path(folder)
    root = load(folder / "root.pem")
    key = serialization.load_pem_private_key((folder / "root.key").read_bytes(), None)
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    new = new_certificate(
        (root.subject, key.public_key()),
        request.subject,
        request.public_key(),
        {"digital_signature"},
        begin,
        begin + datetime.timedelta(days=365),
    )
    return new.sign(key, root.signature_hash_algorithm).public_bytes(serialization.Encoding.DER)


def new_certificate(issuer, subject, public_key, usage, begin, end):
    """What a certificate by an issuer, a name and a public key, says besides its signature."""
    name, issuer_key = issuer
    bits = {
        bit: bit in usage
        for bit in (
            "digital_signature content_commitment key_encipherment data_encipherment key_agreement"
            " key_cert_sign crl_sign encipher_only decipher_only"
        ).split()
    }
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.KeyUsage(**bits), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def check(args):
    root = load(args.root)
    print(json.dumps([said(load(path), root) for path in args.certificates]))


def check_key(args):
    key = serialization.load_pem_private_key(pathlib.Path(args.key).read_bytes(), None)
    is_same = raw(key.public_key()) == raw(load(args.certificate).public_key())
    print(json.dumps(is_same))
    return 0 if is_same else 1


def issue(args):
    directory = pathlib.Path(args.directory)
    curve, digest = CURVES[args.curve]
    root_key = ec.generate_private_key(curve())
    root_name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Another, Ltd."),
            x509.NameAttribute(NameOID.COMMON_NAME, "Another Root"),
        ]
    )
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    end = begin + datetime.timedelta(days=3650)

    def builder(subject, public_key, usage, begin=begin, end=end):
        return new_certificate((root_name, root_key.public_key()), subject, public_key, usage, begin, end)

    def write(name, octets):
        (directory / name).write_bytes(octets)

    def pem(certificate):
        return certificate.public_bytes(serialization.Encoding.PEM)

    root = builder(root_name, root_key.public_key(), {"key_cert_sign", "crl_sign"}).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    write("root.pem", pem(root.sign(root_key, digest())))

    key = ec.generate_private_key(curve())
    party = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, args.title)])
    signature = {"digital_signature"}
    good = builder(party, key.public_key(), signature).sign(root_key, digest())
    write("signature.pem", pem(good))
    write("signature.der", good.public_bytes(serialization.Encoding.DER))
    agreement = builder(party, key.public_key(), {"key_agreement"})
    write("agreement.pem", pem(agreement.sign(root_key, digest())))
    # What must be refused.
    write("forged.pem", pem(builder(party, key.public_key(), signature).sign(ec.generate_private_key(curve()), digest())))
    old = begin - datetime.timedelta(days=10)
    expired = builder(party, key.public_key(), signature, old, old + datetime.timedelta(days=1))
    write("expired.pem", pem(expired.sign(root_key, digest())))
    both = builder(party, key.public_key(), {"digital_signature", "key_agreement"})
    write("both.pem", pem(both.sign(root_key, digest())))
    unknown = builder(party, key.public_key(), signature).add_extension(
        x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00"), critical=True
    )
    write("unknown.pem", pem(unknown.sign(root_key, digest())))

    request = x509.CertificateSigningRequestBuilder().subject_name(party).sign(key, digest())
    write("request.pem", request.public_bytes(serialization.Encoding.PEM))
    write("request.der", request.public_bytes(serialization.Encoding.DER))

    private = serialization.NoEncryption()
    formats = {"pkcs8": serialization.PrivateFormat.PKCS8, "sec1": serialization.PrivateFormat.TraditionalOpenSSL}
    for ending, encoding in (("pem", serialization.Encoding.PEM), ("der", serialization.Encoding.DER)):
        for name, form in formats.items():
            write(f"{name}.{ending}", key.private_bytes(encoding, form, private))
            write(f"root-{name}.{ending}", root_key.private_bytes(encoding, form, private))
        spki = key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
        write(f"spki.{ending}", spki)
    print(json.dumps({"public-key": raw(key.public_key())}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("check")
    one.add_argument("root")
    one.add_argument("certificates", nargs="+")
    one.set_defaults(run=check)
    one = commands.add_parser("check-key")
    one.add_argument("certificate")
    one.add_argument("key")
    one.set_defaults(run=check_key)
    one = commands.add_parser("issue")
    one.add_argument("directory")
    one.add_argument("curve", choices=CURVES)
    one.add_argument("title")
    one.set_defaults(run=issue)
    args = parser.parse_args()
    return args.run(args) or 0


if __name__ == "__main__":
    sys.exit(main())
