#!/usr/bin/env python3
"""DLMS/COSEM client peer for interoperability tests.

Drives the published package `gurux-dlms` (separate process, never linked) over a
plain TCP socket.  Prints one JSON document on stdout (or --json FILE).

Exit codes: 0 every requested operation succeeded; 1 at least one operation failed;
2 bad command line; 3 TCP connection failed; 4 association refused or failed.
"""
import argparse
import contextlib
import datetime as dt
import hashlib
import io
import json
import os
import resource
import socket
import sys
import time
import traceback

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

import certificates
import compute_vectors as compute
from general_protection import KINDS, Form, GeneralProtection, verify_tags
from gurux_dlms import GXByteBuffer, GXDateTime, GXDLMSAccessItem, GXReplyData
from gurux_dlms.ConnectionState import ConnectionState
from gurux_dlms.GXDLMS import GXDLMS
from gurux_dlms.enums import (AccessServiceCommandType, Authentication, Command, Conformance,
                              DataType, InterfaceType, ObjectType, RequestTypes, Security)
from gurux_dlms.GXDLMSSettings import GXDLMSSettings
from gurux_dlms.objects import GXDLMSObject
from gurux_dlms.objects.enums import (CertificateEntity, CertificateType, GlobalKeyType,
                                      SecuritySuite)
from gurux_dlms.secure import GXDLMSSecureClient

AUTHS = {
    "none": Authentication.NONE, "lls": Authentication.LOW, "hls": Authentication.HIGH,
    "md5": Authentication.HIGH_MD5, "sha1": Authentication.HIGH_SHA1,
    "gmac": Authentication.HIGH_GMAC, "sha256": Authentication.HIGH_SHA256,
    "ecdsa": Authentication.HIGH_ECDSA,
}
SECURITY = {"none": Security.NONE, "auth": Security.AUTHENTICATION,
            "enc": Security.ENCRYPTION, "authenc": Security.AUTHENTICATION_ENCRYPTION}
SUITES = {0: SecuritySuite.SUITE_0, 1: SecuritySuite.SUITE_1, 2: SecuritySuite.SUITE_2}
ALL_OPS = ("objects", "read-all", "set", "action", "profile-entry", "profile-range",
           "image", "list", "access")
SETUP_OPS = "key-transfer,key-agreement,policy,key-pair,certificate,remove-certificate"


class Refused(Exception):
    """The server did not accept the association."""


class Link:
    """Byte transport with counters and an optional hex trace."""

    def __init__(self, host, port, timeout, trace):
        self.sock = socket.create_connection((host, port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tx = self.rx = self.tx_frames = self.rx_reads = 0
        self.trace = trace

    def send(self, data):
        data = bytes(data)
        if self.trace:
            print("TX " + data.hex(), file=sys.stderr)
        self.tx += len(data)
        self.tx_frames += 1
        self.sock.sendall(data)

    def recv(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("peer closed the connection")
        if self.trace:
            print("RX " + data.hex(), file=sys.stderr)
        self.rx += len(data)
        self.rx_reads += 1
        return data

    def close(self):
        self.sock.close()


def sign_on(link):
    """IEC 62056-21 up to HDLC, which the package leaves to whoever uses it: mode E at an optical port.

    The line is a socket, so the parity of seven-bit characters is made and checked here.
    """
    def parity(data):
        return bytes(c | (c.bit_count() & 1) << 7 for c in data)

    def line():
        received = b""
        while not received.endswith(parity(b"\r\n")):
            received += link.recv()
        plain = bytes(c & 0x7F for c in received)
        if parity(plain) != received:
            raise Refused(f"parity: {received.hex()}")
        return plain

    link.send(parity(b"/?!\r\n"))
    identification = line()
    if identification[:1] != b"/" or b"\\2" not in identification:
        raise Refused(f"no mode E: {identification!r}")
    # Protocol control character 2 (HDLC), the rate that was offered, mode 2 (binary).
    option = b"\x062" + identification[4:5] + b"2\r\n"
    link.send(parity(option))
    if line() != option:
        raise Refused("the option is not confirmed")
    # Both change the rate meanwhile; nobody answers sooner than after 200 ms.
    time.sleep(0.2)


def replace_ecdsa():
    """Let `cryptography` make and check the ECDSA signatures."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from gurux_dlms.ecdsa import GXEcdsa, GXPrivateKey

    class Ecdsa:
        def __init__(self, key):
            self.key = key
            self.n = 48 if int(key.scheme) else 32
            self.curve = ec.SECP384R1() if self.n == 48 else ec.SECP256R1()
            self.hash = hashes.SHA384() if self.n == 48 else hashes.SHA256()

        def sign(self, data):
            k = ec.derive_private_key(int.from_bytes(self.key.rawValue, "big"), self.curve)
            r, v = utils.decode_dss_signature(k.sign(bytes(data), ec.ECDSA(self.hash)))
            return r.to_bytes(self.n, "big") + v.to_bytes(self.n, "big")

        def verify(self, sig, data):
            key = self.key.getPublicKey() if isinstance(self.key, GXPrivateKey) else self.key
            raw = bytes(key.rawValue)[-2 * self.n:]
            pub = ec.EllipticCurvePublicKey.from_encoded_point(self.curve, b"\x04" + raw)
            try:
                pub.verify(utils.encode_dss_signature(
                    int.from_bytes(sig[:self.n], "big"), int.from_bytes(sig[self.n:], "big")),
                    bytes(data), ec.ECDSA(self.hash))
                return True
            except InvalidSignature:
                return False

    # the package exports classes under their modules' names: go through sys.modules
    for name in ("gurux_dlms.GXDLMSClient", "gurux_dlms.GXSecure"):
        assert sys.modules[name].GXEcdsa is GXEcdsa
        sys.modules[name].GXEcdsa = Ecdsa


def use_general_protection(peer):
    """Let APDUs of the open association travel in general-ciphering, general-signing, or both."""
    opt = peer.opt
    settings = peer.cl.settings
    general = GeneralProtection(opt.suite, bytes.fromhex(opt.system_title), vars(opt))
    control = int(SECURITY[opt.security]) | opt.suite
    cipher, get_pdu = GXDLMS.cipher0.__func__, GXDLMS.getPdu.__func__

    def seal(cls, p, data):
        if p.settings is not settings or not settings.connected & ConnectionState.DLMS:
            return cipher(cls, p, data)
        counter = settings.cipher.invocationCounter
        # The package's own choice, and its additional authenticated data have no other.
        transaction = counter.to_bytes(8, "big")
        apdu = bytes(data.array() if hasattr(data, "array") else data)
        if opt.general_ciphering is None:
            form = Form(signed=True, transaction=transaction)
            signed = general.seal(apdu, form, settings.sourceSystemTitle, counter)
            return cipher(cls, p, bytearray(signed))
        form = Form(opt.general_ciphering, control, opt.sign, transaction)
        settings.cipher.invocationCounter = counter + 1
        return bytearray(general.seal(apdu, form, settings.sourceSystemTitle, counter))

    def open_(cls, reply_settings, data):
        octets = bytes(data.data.array()[data.data.position:])
        if data.command != Command.NONE or not octets or octets[0] not in (0xDD, 0xDF):
            return get_pdu(cls, reply_settings, data)
        if data.moreData & RequestTypes.FRAME:
            # The rest follows; the package then looks at the whole again.
            data.command = Command.GENERAL_GLO_CIPHERING
            return None
        plain, form = general.open(octets, settings.sourceSystemTitle)
        peer.answers.append(form)
        data.data.size = data.data.position
        data.data.set(plain)
        get_pdu(cls, reply_settings, data)
        data.cipherIndex = data.data.size
        return None

    GXDLMS.cipher0 = classmethod(seal)
    GXDLMS.getPdu = classmethod(open_)


def jsonable(value, depth=0):
    """Best effort conversion of gurux-dlms values to JSON types."""
    if isinstance(value, GXDLMSObject) and depth:
        return f"{int(value.objectType)} {value.logicalName}"
    if depth > 8:
        return str(type(value).__name__)
    depth += 1
    if value is None or isinstance(value, (bool, int, float)):
        return value if not hasattr(value, "name") else f"{value.name}({int(value)})"
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, GXDateTime):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [jsonable(v, depth) for v in value]
    if isinstance(value, dict):
        return {str(k): jsonable(v, depth) for k, v in value.items()}
    if hasattr(value, "array") and callable(value.array):
        return bytes(value.array()).hex()
    if hasattr(value, "__dict__"):
        return {k: jsonable(v, depth) for k, v in vars(value).items()
                if not k.startswith("_") and k not in ("attributes", "methodAttributes",
                                                       "readTimes")}
    return str(value)


class Peer:
    def __init__(self, opt):
        self.opt = opt
        self.link = None
        self.hls_forced = False
        framing = InterfaceType.WRAPPER if opt.framing == "wrapper" else InterfaceType.HDLC
        if opt.mode_e:
            framing = InterfaceType.HDLC_WITH_MODE_E
        self.cl = GXDLMSSecureClient(opt.ref == "ln", opt.client, opt.server,
                                     AUTHS[opt.auth], opt.password, framing)
        self.cl.maxReceivePDUSize = opt.max_pdu
        self.cl.proposedConformance |= Conformance.GENERAL_PROTECTION
        if not (opt.general_protection or opt.general_ciphering or opt.sign):
            self.cl.proposedConformance &= ~Conformance.GENERAL_PROTECTION
        if opt.gbt:
            self.cl.proposedConformance |= Conformance.GENERAL_BLOCK_TRANSFER
            self.cl.gbtWindowSize = opt.gbt
        if opt.framing == "hdlc":
            hs = self.cl.hdlcSettings
            hs.maxInfoTX = hs.maxInfoRX = opt.max_info
            hs.windowSizeTX = hs.windowSizeRX = opt.window
        self.cl.useProtectedRelease = opt.security != "none" and not opt.plain_release
        ci = self.cl.ciphering
        ci.security = SECURITY[opt.security]
        ci.securitySuite = SUITES[opt.suite]
        ci.systemTitle = bytearray.fromhex(opt.system_title)
        ci.blockCipherKey = bytearray.fromhex(opt.ek)
        ci.authenticationKey = bytearray.fromhex(opt.ak)
        ci.invocationCounter = opt.ic
        if opt.challenge:
            self.cl.setCtoSChallenge(bytearray(os.urandom(opt.challenge)))
        if opt.dedicated:
            ci.dedicatedKey = bytearray.fromhex(opt.dedicated)
        if opt.auth == "ecdsa":
            from gurux_dlms.ecdsa import GXPrivateKey, GXPublicKey
            priv = GXPrivateKey.fromRawBytes(bytes.fromhex(opt.signing_key))
            # uncompressed point: 04 before x||y
            pub = GXPublicKey.fromRawBytes(b"\x04" + bytes.fromhex(opt.peer_signing_key))
            ci.signingKeyPair = (pub, priv)
        self.answers = []
        if opt.general_ciphering or opt.sign:
            use_general_protection(self)

    # -- transport -------------------------------------------------------
    def exchange(self, frames, allow_error=False):
        """Send request frame(s), gather the complete reply (blocks included)."""
        if frames is None:
            return None
        if isinstance(frames, (bytes, bytearray)):
            frames = [frames]
        elif frames and isinstance(frames[0], list):
            frames = [f for group in frames for f in group]
        reply = GXReplyData()
        for frame in frames:
            reply.clear()
            self._one(frame, reply)
        while reply.isMoreData():
            if reply.isStreaming():
                nxt = None
            else:
                nxt = self.cl.receiverReady(reply)
            self._one(nxt, reply)
        if reply.error and not allow_error:
            raise RuntimeError(f"data-access-result {int(reply.error)}")
        return reply

    def _one(self, frame, reply):
        if frame is not None:
            self.link.send(frame)
        reply.error = 0
        buf = GXByteBuffer()
        notify = GXReplyData()
        while True:
            buf.set(self.link.recv())
            if self.cl.getData(buf, reply, notify):
                break
            if notify.complete:
                notify.clear()

    # -- association -----------------------------------------------------
    def open(self):
        o = self.opt
        if o.ic_object:
            self._fetch_ic()
        self.link = Link(o.host, o.port, o.timeout, o.trace)
        if o.mode_e:
            sign_on(self.link)
        try:
            snrm = self.cl.snrmRequest()
            if snrm:
                self.cl.parseUAResponse(self.exchange(snrm).data)
            if o.pre_established:
                title = bytearray.fromhex(o.server_title)
                self.cl.settings.preEstablishedSystemTitle = title
                self.cl.settings.sourceSystemTitle = title
                self.cl.settings.negotiatedConformance = self.cl.proposedConformance
                return
            self.cl.parseAareResponse(self.exchange(self.cl.aarqRequest()).data)
            if o.send_pdu:
                self.cl.settings.maxPduSize = o.send_pdu
            # some servers accept with diagnostic 0 but still expect HLS pass 3
            hls = AUTHS[o.auth] > Authentication.LOW and self.cl.settings.stoCChallenge
            self.hls_forced = bool(hls and not self.cl.isAuthenticationRequired)
            if self.cl.isAuthenticationRequired or hls:
                out = io.StringIO()      # only our own lines go to standard output
                with contextlib.redirect_stdout(out):
                    req = self.cl.getApplicationAssociationRequest()
                rep = self.exchange(req)
                self.cl.parseApplicationAssociationResponse(rep.data)
        except (ConnectionError, socket.timeout):
            raise
        except Exception as ex:
            raise Refused(f"{type(ex).__name__}: {ex}") from ex

    def _fetch_ic(self):
        """Read the invocation counter through the public client first."""
        from gurux_dlms.objects import GXDLMSData
        o = self.opt
        pub = argparse.Namespace(**vars(o))
        pub.auth, pub.security, pub.client, pub.ic_object = "none", "none", 16, None
        pub.dedicated = pub.signing_key = None
        peer = Peer(pub)
        peer.open()
        data = GXDLMSData(o.ic_object)
        rep = peer.exchange(peer.cl.read(data, 2)[0])
        self.cl.ciphering.invocationCounter = int(rep.value) + 1
        peer.close()

    def close(self):
        if self.link is None:
            return
        try:
            rel = None
            if not self.opt.pre_established and (
                    self.opt.framing == "wrapper" or self.opt.security != "none"):
                rel = self.cl.releaseRequest()
            if rel:
                self.exchange(rel)
            if self.opt.framing == "hdlc":
                disc = self.cl.disconnectRequest(True)
                if disc:
                    self.exchange(disc, allow_error=True)
        finally:
            self.link.close()

    # -- operations ------------------------------------------------------
    def objects(self):
        rep = self.exchange(self.cl.getObjectsRequest())
        data = bytes(rep.data.array())
        self.cl.parseObjects(rep.data, False, False)
        rows = [f"{int(o.objectType)}/v{o.version} {o.logicalName}"
                + (f" sn=0x{o.shortName:04x}" if o.shortName else "")
                + ("" if type(o).__name__ != "GXDLMSObject" else " (unknown class)")
                for o in self.cl.objects]
        return {"count": len(rows), "bytes": len(data), "objects": rows}

    def read(self, obj, index):
        rep = self.exchange(self.cl.read(obj, index)[0])
        raw = bytes(rep.data.array())
        if obj.getDataType(index) == DataType.NONE and rep.valueType:
            obj.setDataType(index, rep.valueType)
        value = self.cl.updateValue(obj, index, rep.value)
        return value, raw

    def read_all(self):
        ok, bad, out = 0, [], []
        for obj in list(self.cl.objects):
            if type(obj).__name__ == "GXDLMSObject":
                continue
            indexes = obj.getAttributeIndexToRead(True)
            if obj.objectType == ObjectType.PROFILE_GENERIC and not self.opt.read_buffers:
                indexes = [i for i in indexes if i != 2]
            for i in indexes:
                entry = {"class": int(obj.objectType), "ln": obj.logicalName, "attr": i}
                try:
                    rep = self.exchange(self.cl.read(obj, i)[0])
                    entry["raw"] = bytes(rep.data.array()).hex()[:400]
                    try:
                        if obj.getDataType(i) == DataType.NONE and rep.valueType:
                            obj.setDataType(i, rep.valueType)
                        entry["value"] = jsonable(self.cl.updateValue(obj, i, rep.value))
                        ok += 1
                    except Exception as ex:
                        entry["decode_error"] = f"{type(ex).__name__}: {ex}"
                        bad.append(entry)
                except (ConnectionError, socket.timeout):
                    raise
                except Exception as ex:
                    entry["error"] = f"{type(ex).__name__}: {ex}"
                    bad.append(entry)
                if self.opt.verbose:
                    out.append(entry)
        res = {"attributes_ok": ok, "attributes_failed": len(bad), "failed": bad}
        if self.opt.verbose:
            res["values"] = out
        if bad and not self.opt.tolerate_denied:
            res["fail"] = True
        elif any("data-access-result" not in b.get("error", "") for b in bad):
            res["fail"] = True
        return res

    def find(self, ot, ln):
        obj = self.cl.objects.findByLN(ot, ln)
        if obj is None:
            obj = self.cl.createObject(ot)
            obj.logicalName = ln
        return obj

    def set(self):
        """Write a string into a Data object and read it back."""
        obj = self.find(ObjectType.DATA, self.opt.set_ln)
        obj.setDataType(2, DataType.OCTET_STRING)
        text = self.opt.set_value.encode()
        obj.value = text
        blocks = self.link.tx_frames
        self.exchange(self.cl.write(obj, 2))
        blocks = self.link.tx_frames - blocks
        obj2 = self.cl.createObject(ObjectType.DATA)
        obj2.logicalName, obj2.shortName = self.opt.set_ln, obj.shortName
        rep = self.exchange(self.cl.read(obj2, 2)[0])
        back = bytes(rep.value) if not isinstance(rep.value, str) else rep.value.encode()
        return {"written": text.hex(), "read_back": back.hex(), "requests": blocks, "fail": back != text}

    def clock_set(self):
        obj = self.find(ObjectType.CLOCK, "0.0.1.0.0.255")
        obj.time = GXDateTime(dt.datetime(2026, 1, 2, 3, 4, 5))
        self.exchange(self.cl.write(obj, 2))
        return {}

    def action(self):
        cls, ln, method = self.opt.action.split(":")
        obj = self.find(ObjectType(int(cls)), ln)
        rep = self.exchange(self.cl.method(obj, int(method), 0, DataType.INT8))
        return {"action": self.opt.action, "result": jsonable(rep.value)}

    def _profile(self):
        pg = self.find(ObjectType.PROFILE_GENERIC, self.opt.profile)
        self.read(pg, 3)
        return pg

    def profile_entry(self):
        pg = self._profile()
        first, count = self.opt.entry
        t0, rx0 = time.perf_counter(), self.link.rx
        rep = self.exchange(self.cl.readRowsByEntry(pg, first, count))
        t1 = time.perf_counter()
        rows = self.cl.updateValue(pg, 2, rep.value)
        return {"rows": len(rows), "columns": len(pg.captureObjects),
                "transfer_s": round(t1 - t0, 4),
                "decode_s": round(time.perf_counter() - t1, 4),
                "rx_bytes": self.link.rx - rx0,
                "first": jsonable(rows[0]) if rows else None,
                "last": jsonable(rows[-1]) if rows else None,
                "fail": bool(self.opt.expect_rows and len(rows) != self.opt.expect_rows)}

    def profile_range(self):
        pg = self._profile()
        start = dt.datetime.fromisoformat(self.opt.range[0])
        end = dt.datetime.fromisoformat(self.opt.range[1])
        t0, rx0 = time.perf_counter(), self.link.rx
        rep = self.exchange(self.cl.readRowsByRange(pg, start, end))
        rows = self.cl.updateValue(pg, 2, rep.value)
        return {"rows": len(rows), "seconds": round(time.perf_counter() - t0, 4),
                "rx_bytes": self.link.rx - rx0,
                "first": jsonable(rows[0]) if rows else None,
                "last": jsonable(rows[-1]) if rows else None, "fail": not rows}

    def profile_all(self):
        pg = self._profile()
        t0, rx0 = time.perf_counter(), self.link.rx
        rep = self.exchange(self.cl.read(pg, 2)[0])
        t1 = time.perf_counter()
        rows = self.cl.updateValue(pg, 2, rep.value)
        return {"rows": len(rows), "transfer_s": round(t1 - t0, 4),
                "decode_s": round(time.perf_counter() - t1, 4),
                "rx_bytes": self.link.rx - rx0,
                "fail": bool(self.opt.expect_rows and len(rows) != self.opt.expect_rows)}

    def image(self):
        it = self.find(ObjectType.IMAGE_TRANSFER, self.opt.image_ln)
        for i in (5, 2):
            self.read(it, i)
        if not it.imageTransferEnabled:
            return {"fail": True, "reason": "image transfer is not enabled"}
        blob = bytes((i * 7 + 3) & 0xFF for i in range(self.opt.image_size))
        self.exchange(it.imageTransferInitiate(self.cl, self.opt.image_id, len(blob)))
        n = [0]
        for req in it.imageBlockTransfer(self.cl, blob, n):
            self.exchange(req)
        self.read(it, 3)
        self._until_done(it, it.imageVerify)
        self.read(it, 6)
        verified = int(it.imageTransferStatus)
        if verified == 3:
            self._until_done(it, it.imageActivate)
            self.read(it, 6)
        return {"block_size": it.imageBlockSize, "blocks": n[0],
                "bitmap": str(it.imageTransferredBlocksStatus)[:64],
                "status_after_verify": verified,
                "status_after_activate": int(it.imageTransferStatus),
                "fail": verified != 3}

    def _until_done(self, it, method):
        """Invoke, and invoke again while the answer is temporary-failure (2)."""
        deadline = time.time() + 15
        while True:
            rep = self.exchange(method(self.cl), allow_error=True)
            if int(rep.error or 0) != 2 or time.time() > deadline:
                return
            time.sleep(1)
            self.read(it, 6)

    def list(self):
        objs = [o for o in self.cl.objects if o.objectType in
                (ObjectType.DATA, ObjectType.REGISTER)][:self.opt.list_count]
        want = [(o, 1) for o in objs]
        blocks = self.link.tx_frames
        rep = self.exchange(self.cl.readList(want))
        names = [".".join(str(octet) for octet in bytes(value)) for value in rep.value or []]
        return {"requested": len(want), "received": len(names), "requests": self.link.tx_frames - blocks,
                "fail": names != [o.logicalName for o in objs]}

    # -- security setup --------------------------------------------------
    def setup(self):
        return self.find(ObjectType.SECURITY_SETUP, self.opt.setup_ln)

    def setup_method(self, frames):
        """The octets that the method returns."""
        self.requests = len(frames)
        reply = self.exchange(frames)
        return bytes(reply.value) if isinstance(reply.value, (bytes, bytearray)) else reply.value

    def keys(self, ids):
        """New keys by their id, and what taking them into use is."""
        size, ci = len(bytes.fromhex(self.opt.ek)), self.cl.ciphering

        def install(key_id, key):
            if key_id == GlobalKeyType.UNICAST_ENCRYPTION:
                # Another key, other counters.
                ci.blockCipherKey, ci.invocationCounter = bytearray(key), 0
                self.opt.ek = key.hex()
            elif key_id == GlobalKeyType.AUTHENTICATION:
                ci.authenticationKey = bytearray(key)
                self.opt.ak = key.hex()
            elif key_id == GlobalKeyType.KEK:
                self.opt.kek = key.hex()
        return [(GlobalKeyType(i), os.urandom(size)) for i in ids], install

    def key_transfer(self):
        """New keys with ids `--key-ids`, wrapped with the master key."""
        new, install = self.keys(self.opt.key_ids)
        if self.opt.suite == 2:
            # The package wraps with 16 octets only.
            from cryptography.hazmat.primitives.keywrap import aes_key_wrap
            kek = bytes.fromhex(self.opt.kek)
            entries = [b"\x02\x02\x16" + bytes((i,)) + b"\x09\x28" + aes_key_wrap(kek, key)
                       for i, key in new]
            data = bytearray(b"\x01" + bytes((len(new),)) + b"".join(entries))
            self.setup_method(self.cl.method(self.setup(), 2, data, DataType.ARRAY))
        else:
            kek = bytearray.fromhex(self.opt.kek)
            listed = [(i, bytearray(key)) for i, key in new]
            self.setup_method(self.setup().globalKeyTransfer(self.cl, kek, listed))
        for key_id, key in new:
            install(key_id, key)
        return {"ek": self.opt.ek, "ak": self.opt.ak, "kek": self.opt.kek, **self.read_policy()}

    def key_agreement(self):
        """New keys with ids `--key-ids` by C(2e, 0s): the package has the method's parameter without a signature."""
        suite = self.opt.suite
        general = GeneralProtection(suite, bytes.fromhex(self.opt.system_title), vars(self.opt))
        new, install = self.keys(self.opt.key_ids)
        entries, ephemerals = b"", []
        for key_id, _ in new:
            ephemeral = ec.generate_private_key(compute.CURVES[suite])
            point = compute.public(suite, ephemeral)
            signature = compute.sign(suite, general.private("signing"), bytes((key_id,)) + point)
            entries += b"\x02\x02\x16" + bytes((key_id,)) + b"\x09" + compute.field(point + signature)
            ephemerals.append(ephemeral)
        data = bytearray(b"\x01" + bytes((len(new),)) + entries)
        answers = self.setup_method(self.cl.method(self.setup(), 3, data, DataType.ARRAY))
        other = compute.AES_GCM[suite] + general.own_title + bytes(self.cl.settings.sourceSystemTitle)
        half = 2 * compute.size(suite)
        agreed = []
        for (key_id, _), ephemeral, (answered, data) in zip(new, ephemerals, answers, strict=True):
            point, signature = bytes(data)[:half], bytes(data)[half:]
            assert answered == key_id
            general.verify(signature, bytes((key_id,)) + point)
            z = ephemeral.exchange(ec.ECDH(), general.point(point))
            agreed.append((key_id, compute.derive(suite, z, other)))
        for key_id, key in agreed:
            install(key_id, key)
        return {"ek": self.opt.ek, "ak": self.opt.ak, **self.read_policy()}

    def policy(self):
        """security_activate with `--policy`."""
        self.setup_method(self.setup().activate(self.cl, self.opt.policy))
        # Authenticated, encrypted: bits 0 and 1 in version 0, 2 and 3 for requests in version 1.
        bits = self.opt.policy if self.opt.suite == 0 else self.opt.policy >> 2
        self.cl.ciphering.security = Security((bits & 3) << 4)
        return self.read_policy()

    def read_policy(self):
        rep = self.exchange(self.cl.read(self.setup(), 2)[0])
        return {"policy": int(rep.value)}

    def key_pair(self):
        """A new key pair for signatures, and the request for its certificate."""
        setup, kind = self.setup(), CertificateType.DIGITAL_SIGNATURE
        self.setup_method(setup.generateKeyPair(self.cl, kind))
        request = x509.load_der_x509_csr(self.setup_method(setup.generateCertificate(self.cl, kind)))
        names = [name.value for name in request.subject]
        numbers = request.public_key().public_numbers()
        size = compute.size(self.opt.suite)
        key = numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")
        self.request = request
        return {"subject": names, "public_key": key.hex(), "fail": not request.is_signature_valid}

    def certificate(self):
        """A certificate for the new key pair by the authority in `--authority`: imported, read back."""
        title = bytes(self.cl.settings.sourceSystemTitle)
        der = certificates.certify(self.opt.authority, self.request)
        setup = self.setup()
        imported = argparse.Namespace(encoded=bytearray(der))
        self.setup_method(setup.importCertificate(self.cl, imported))
        requests = self.requests
        entity, kind = CertificateEntity.SERVER, CertificateType.DIGITAL_SIGNATURE
        read = self.setup_method(
            setup.exportCertificateByEntity(self.cl, entity, kind, bytearray(title)))
        rep = self.exchange(self.cl.read(setup, 6)[0])
        return {"listed": [[int(one[0]), int(one[1])] for one in rep.value], "requests": requests,
                "fail": read != der}

    def remove_certificate(self):
        title = bytearray(self.cl.settings.sourceSystemTitle)
        entity, kind = CertificateEntity.SERVER, CertificateType.DIGITAL_SIGNATURE
        self.setup_method(self.setup().removeCertificateByEntity(self.cl, entity, kind, title))
        rep = self.exchange(self.cl.read(self.setup(), 6)[0])
        return {"listed": [[int(one[0]), int(one[1])] for one in rep.value]}

    def access(self):
        objs = [o for o in self.cl.objects if o.objectType in
                (ObjectType.DATA, ObjectType.CLOCK)][:3]
        items = [GXDLMSAccessItem(AccessServiceCommandType.GET, o, 2) for o in objs]
        rep = self.exchange(self.cl.accessRequest(None, items))
        self.cl.parseAccessResponse(items, rep.data)
        return {"items": [jsonable(getattr(i, "value", None)) for i in items]}


def parse_args(argv):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a = p.add_argument
    a("--host", default="127.0.0.1")
    a("--port", type=int, default=4061)
    a("--framing", choices=("wrapper", "hdlc"), default="wrapper")
    a("--mode-e", action="store_true", help="sign on as at an optical port; then HDLC")
    a("--ref", choices=("ln", "sn"), default="ln")
    a("--auth", choices=AUTHS, default="none")
    a("--password", default="Gurux")
    a("--client", type=int, default=16, help="client SAP")
    a("--server", type=int, default=1, help="server SAP / HDLC logical+physical address")
    a("--security", choices=SECURITY, default="none")
    a("--suite", type=int, choices=(0, 1, 2), default=0)
    a("--system-title", default="4755525800000001")
    a("--server-title", default="4755525830303031")
    a("--ek", help="global unicast encryption key, hex")
    a("--ak", help="authentication key, hex")
    a("--dedicated")
    a("--challenge", type=int, help="length of the CtoS challenge")
    a("--ic", type=int, default=1, help="first invocation counter")
    a("--ic-object", help="logical name of the Data object holding the counter")
    a("--signing-key", help="raw private key, hex (P-256 or P-384)")
    a("--peer-public-key", dest="peer_signing_key", help="raw public point x||y, hex")
    a("--agreement-key", help="raw private key for agreed keys, hex")
    a("--peer-agreement-key", help="raw public point for agreed keys, hex")
    a("--kek", help="master key, hex")
    a("--general-ciphering", choices=KINDS, help="the kind of key that its key-info names")
    a("--sign", action="store_true", help="general-signing, inside of the ciphering")
    a("--fix-ecdsa", action="store_true",
      help="let `cryptography` do ECDSA")
    a("--fix-gbt", action="store_true",
      help="supply the block number that the reception of general block transfer reads")
    a("--plain-release", action="store_true",
      help="leave the ciphered xDLMS-Initiate out of the RLRQ of a ciphered association")
    a("--pre-established", action="store_true")
    a("--general-protection", action="store_true",
      help="propose general-protection (general-glo/ded instead of service specific)")
    a("--gbt", type=int, default=0, help="propose general block transfer, window N")
    a("--max-pdu", type=int, default=65535)
    a("--send-pdu", type=int, help="send in blocks what is longer")
    a("--max-info", type=int, default=128)
    a("--window", type=int, default=1)
    a("--ops", default="objects,read-all",
      help="comma list of: " + ",".join(ALL_OPS) + ",profile-all,clock-set," + SETUP_OPS)
    a("--profile", default="1.0.99.1.0.255")
    a("--entry", type=int, nargs=2, default=(1, 10), metavar=("FIRST", "COUNT"))
    a("--range", nargs=2, default=("2026-01-01T00:00:00", "2026-01-02T00:00:00"))
    a("--expect-rows", type=int, default=0)
    a("--set-ln", default="0.0.96.1.9.255")
    a("--set-value", default="peer-was-here")
    a("--action", default="70:0.0.96.3.10.255:1", help="class:ln:method, int8(0) argument")
    a("--setup-ln", default="0.0.43.0.0.255")
    a("--key-ids", type=lambda text: [int(one) for one in text.split("+")], default=[0],
      help="keys that key-transfer and key-agreement change, as in 0+2")
    a("--policy", type=int, default=3)
    a("--authority", help="folder of the authority of `dlms pki init` that certifies the new key pair")
    a("--image-ln", default="0.0.44.0.0.255")
    a("--image-size", type=int, default=1000)
    a("--image-id", default="peer-image-1")
    a("--list-count", type=int, default=5, help="how many attributes `list` reads")
    a("--read-buffers", action="store_true", help="read-all also reads profile buffers")
    a("--tolerate-denied", action="store_true",
      help="data-access errors do not fail read-all")
    a("--timeout", type=float, default=10)
    a("--json")
    a("--verbose", action="store_true")
    a("--trace", action="store_true")
    opt = p.parse_args(argv)
    size = 32 if opt.suite == 2 else 16
    opt.ek = opt.ek or bytes(range(size)).hex()
    opt.ak = opt.ak or bytes(0xD0 + (i % 0x30) for i in range(size)).hex()
    opt.kek = opt.kek or "31" * size
    n = 48 if opt.suite == 2 else 32
    opt.signing_key = opt.signing_key or test_key("peer-client", n)
    opt.peer_signing_key = opt.peer_signing_key or public_of(test_key("peer-server", n), n)
    opt.agreement_key = opt.agreement_key or test_key("peer-client-agreement", n)
    opt.peer_agreement_key = opt.peer_agreement_key or public_of(
        test_key("peer-server-agreement", n), n)
    return opt


def test_key(seed, size):
    """Fixed test key; gurux_server.py derives the same one."""
    return "00" + hashlib.shake_256(seed.encode()).digest(size - 1).hex()


def public_of(priv, size):
    from cryptography.hazmat.primitives.asymmetric import ec
    curve = ec.SECP384R1() if size == 48 else ec.SECP256R1()
    num = ec.derive_private_key(int(priv, 16), curve).public_key().public_numbers()
    return (num.x.to_bytes(size, "big") + num.y.to_bytes(size, "big")).hex()


def main(argv=None):
    opt = parse_args(argv)
    ops = [o for o in opt.ops.split(",") if o]
    verify_tags()
    if opt.fix_ecdsa:
        replace_ecdsa()
    if opt.fix_gbt:
        GXDLMSSettings.blockNumber = property(lambda s: s.blockIndex)
    result = {"peer": "gurux-dlms", "options": {k: v for k, v in vars(opt).items()
              if k not in ("ek", "ak", "kek", "dedicated", "signing_key", "agreement_key", "password")},
              "ops": {}}
    noise = io.StringIO()
    code = 0
    peer = None
    t_start = time.perf_counter()
    with contextlib.redirect_stdout(noise):
        try:
            peer = Peer(opt)
            t0 = time.perf_counter()
            peer.open()
            result["association"] = {
                "ok": True, "seconds": round(time.perf_counter() - t0, 4),
                "negotiated_pdu": peer.cl.maxReceivePDUSize,
                "conformance": hex(int(peer.cl.negotiatedConformance)),
                "hls_forced": peer.hls_forced,
                "server_title": jsonable(peer.cl.settings.sourceSystemTitle)}
        except Refused as ex:
            result["association"] = {"ok": False, "error": str(ex)}
            code = 4
            if opt.verbose:
                result["traceback"] = traceback.format_exc()
        except OSError as ex:
            result["association"] = {"ok": False, "error": f"{type(ex).__name__}: {ex}"}
            code = 3 if peer is None or peer.link is None else 4
        if code == 0:
            for op in ops:
                fn = getattr(peer, op.replace("-", "_"))
                t0 = time.perf_counter()
                try:
                    res = fn()
                except Exception as ex:
                    res = {"fail": True, "error": f"{type(ex).__name__}: {ex}"}
                    if opt.verbose:
                        res["traceback"] = traceback.format_exc()
                res["ok"] = not res.pop("fail", False)
                res["elapsed_s"] = round(time.perf_counter() - t0, 4)
                result["ops"][op] = res
                if not res["ok"]:
                    code = 1
            try:
                peer.close()
                result["release"] = {"ok": True}
            except Exception as ex:
                result["release"] = {"ok": False, "error": f"{type(ex).__name__}: {ex}"}
    if peer:
        # In what the answers came, once each.
        result["answers"] = sorted({
            f"{form.kind or 'plain'} {form.control:02x}{' signed' if form.signed else ''}"
            for form in peer.answers})
    if peer and peer.link:
        result["bytes"] = {"tx": peer.link.tx, "rx": peer.link.rx,
                           "frames_tx": peer.link.tx_frames}
    result["total_s"] = round(time.perf_counter() - t_start, 4)
    result["peak_rss_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if noise.getvalue():
        result["library_stdout_lines"] = noise.getvalue().splitlines()[:20]
    text = json.dumps(result, indent=1)
    if opt.json:
        with open(opt.json, "w", encoding="utf-8") as f:
            f.write(text + "\n")
    else:
        print(text)
    return code


if __name__ == "__main__":
    sys.exit(main())
