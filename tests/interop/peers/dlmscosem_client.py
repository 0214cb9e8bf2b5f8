#!/usr/bin/env python3
"""DLMS/COSEM client peer for interoperability tests.

Drives the published package `dlms-cosem` 21.3.2 over wrapper or HDLC framing on TCP: mechanisms none, LLS and
HLS GMAC, general-glo ciphering.  Prints one JSON document on stdout (or --json FILE).

Exit codes: 0 every operation succeeded; 1 at least one failed; 2 usage; 3 TCP connection
failed; 4 association refused or failed.
"""
import argparse
import datetime as dt
import json
import logging
import resource
import socket
import sys
import time
import traceback
from importlib import metadata

from dlms_cosem import cosem, dlms_data, enumerations as en, exceptions, utils
from dlms_cosem.cosem.capture_object import CaptureObject
from dlms_cosem.cosem.selective_access import EntryDescriptor, RangeDescriptor
from dlms_cosem.clients.dlms_client import DlmsClient


class Counter:
    """Socket front that counts bytes and fails on end of stream."""

    def __init__(self, sock):
        self.sock, self.tx, self.rx = sock, 0, 0

    def sendall(self, data):
        self.tx += len(data)
        self.sock.sendall(data)

    def recv(self, amount):
        part = self.sock.recv(amount)
        if not part:
            raise exceptions.CommunicationError("peer closed the connection")
        self.rx += len(part)
        return part

    def __getattr__(self, name):
        return getattr(self.sock, name)


class Line:
    """Serial port look-alike over TCP, for the HDLC transport of the package."""

    def __init__(self, host, port, timeout):
        self.c = Counter(socket.create_connection((host, port), timeout))

    def write(self, data):
        self.c.sendall(bytes(data))

    def read(self, size=1):
        out = b""
        while len(out) < size:
            out += self.c.recv(size - len(out))
        return out

    def read_until(self, end):
        out = self.read()
        while not out.endswith(end):
            out += self.read()
        return out

    def close(self):
        self.c.close()


def build(opt, keys):
    mech = {"none": en.AuthenticationMechanism.NONE, "lls": en.AuthenticationMechanism.LLS,
            "gmac": en.AuthenticationMechanism.HLS_GMAC}[opt.auth]
    keys = dict(keys, authentication_method=mech, client_logical_address=opt.client,
                server_logical_address=opt.server,
                password=opt.password.encode() if opt.auth == "lls" else None)
    if opt.framing == "wrapper":
        client = DlmsClient.with_tcp_transport(host=opt.host, port=opt.port,
                                               timeout=opt.timeout, **keys)
        transport = client.io_interface
        plain_connect = transport.connect

        def connect():
            plain_connect()
            transport.tcp_socket = Counter(transport.tcp_socket)
        transport.connect = connect
        return client, lambda: transport.tcp_socket
    import dlms_cosem.clients.hdlc_transport as module
    line = []

    def open_line(*_args, **_kw):
        line.append(Line(opt.host, opt.port, opt.timeout))
        return line[-1]
    module.serial.Serial = open_line
    client = DlmsClient.with_serial_hdlc_transport(
        serial_port="tcp", server_physical_address=opt.server_physical, timeout=opt.timeout, **keys)
    return client, lambda: line[-1].c if line else None


def attribute(cls, ln, attr):
    a, b, c, d, e, f = (int(x) for x in ln.split("."))
    return cosem.CosemAttribute(en.CosemInterface(cls), cosem.Obis(a, b, c, d, e, f), attr)


def jsonable(v):
    if isinstance(v, (bytes, bytearray)):
        return bytes(v).hex()
    if isinstance(v, (list, tuple)):
        return [jsonable(x) for x in v]
    if isinstance(v, (dt.datetime, dt.date)):
        return v.isoformat()
    return v if isinstance(v, (int, float, str, bool, type(None))) else str(v)


class Ops:
    def __init__(self, client, opt, counter):
        self.c, self.opt, self.counter = client, opt, counter
        self.items = []

    def value(self, cls, ln, attr, sel=None):
        return utils.parse_as_dlms_data(self.c.get(attribute(cls, ln, attr), sel))

    def objects(self):
        raw = self.c.get(attribute(15, "0.0.40.0.0.255", 2))
        rows = utils.parse_as_dlms_data(raw)
        self.items = [(r[0], r[1], ".".join(str(x) for x in r[2]), len(r[3][0])) for r in rows]
        return {"count": len(rows), "bytes": len(raw),
                "objects": [f"{c}/v{v} {ln}" for c, v, ln, _ in self.items]}

    def read_all(self):
        ok, bad = 0, []
        for cls, _v, ln, n in self.items:
            for i in range(1, n + 1):
                if (cls, i) in ((7, 2), (15, 2)):
                    continue
                try:
                    self.value(cls, ln, i)
                    ok += 1
                except exceptions.CommunicationError:
                    raise
                except Exception as ex:
                    bad.append({"class": cls, "ln": ln, "attr": i,
                                "error": f"{type(ex).__name__}: {ex}"[:200]})
                    if not self.usable():
                        return {"attributes_ok": ok, "failed": bad, "fail": True,
                                "aborted": "the client's state machine does not recover"}
        return {"attributes_ok": ok, "attributes_failed": len(bad), "failed": bad,
                "fail": bool(bad) and not self.opt.tolerate_denied}

    def usable(self):
        return "READY" in str(self.c.dlms_connection.state.current_state)

    def set(self):
        data = dlms_data.OctetStringData(self.opt.set_value.encode()).to_bytes()
        rsp = self.c.set(attribute(1, self.opt.set_ln, 2), data)
        back = self.value(1, self.opt.set_ln, 2)
        return {"result": str(getattr(rsp, "result", rsp)), "read_back": jsonable(back),
                "fail": bytes(back) != self.opt.set_value.encode()}

    def action(self):
        cls, ln, meth = self.opt.action.split(":")
        a, b, c, d, e, f = (int(x) for x in ln.split("."))
        res = self.c.action(cosem.CosemMethod(en.CosemInterface(int(cls)),
                                              cosem.Obis(a, b, c, d, e, f), int(meth)),
                            dlms_data.IntegerData(0).to_bytes())
        return {"result": jsonable(res)}

    def timed_rows(self, sel):
        t0, rx0 = time.perf_counter(), self.counter().rx
        raw = self.c.get(attribute(7, self.opt.profile, 2), sel)
        t1 = time.perf_counter()
        rows = utils.parse_as_dlms_data(raw)
        t2 = time.perf_counter()
        return {"rows": len(rows), "columns": len(rows[0]) if rows else 0,
                "transfer_s": round(t1 - t0, 4), "decode_s": round(t2 - t1, 4),
                "rx_bytes": self.counter().rx - rx0, "apdu_bytes": len(raw),
                "first": jsonable(rows[0]) if rows else None,
                "fail": bool(self.opt.expect_rows) and len(rows) != self.opt.expect_rows}

    def profile_all(self):
        return self.timed_rows(None)

    def profile_entry(self):
        first, count = self.opt.entry
        return self.timed_rows(EntryDescriptor(first, first + count - 1))

    def profile_range(self):
        sel = RangeDescriptor(
            restricting_object=CaptureObject(attribute(8, "0.0.1.0.0.255", 2)),
            from_value=dt.datetime.fromisoformat(self.opt.range[0]).replace(tzinfo=dt.timezone.utc),
            to_value=dt.datetime.fromisoformat(self.opt.range[1]).replace(tzinfo=dt.timezone.utc))
        res = self.timed_rows(sel)
        res["fail"] = not res["rows"]
        return res

    def list(self):
        want = [cosem.CosemAttributeWithSelection(attribute(1, ln, 2), None)
                for ln in ("0.0.42.0.0.255", "0.0.96.1.0.255")]
        rsp = self.c.get_many(want)
        return {"result": type(rsp).__name__, "fail": "WithList" not in type(rsp).__name__}


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a = p.add_argument
    a("--host", default="127.0.0.1")
    a("--port", type=int, default=4061)
    a("--framing", choices=("wrapper", "hdlc"), default="wrapper")
    a("--auth", choices=("none", "lls", "gmac"), default="none")
    a("--password", default="Gurux")
    a("--client", type=int, default=16)
    a("--server", type=int, default=1)
    a("--server-physical", type=int)
    a("--ciphered", action="store_true", help="general-glo authenticated encryption")
    a("--suite", type=int, choices=(0, 1, 2), default=0)
    a("--system-title", default="5539440000000001")
    a("--ek")
    a("--ak")
    a("--ic", type=int, default=1)
    a("--meter-ic", type=int, default=-1,
      help="last counter seen from the meter (the first one must be greater)")
    a("--challenge", type=int, default=32)
    a("--dedicated", action="store_true")
    a("--max-pdu", type=int, default=65535)
    a("--ops", default="objects,read-all,set,action,profile-range,list")
    a("--profile", default="1.0.99.1.0.255")
    a("--entry", type=int, nargs=2, default=(1, 10))
    a("--range", nargs=2, default=("2026-01-01T00:00:00", "2026-01-02T00:00:00"))
    a("--expect-rows", type=int, default=0)
    a("--set-ln", default="0.0.96.1.9.255")
    a("--set-value", default="peer-was-here")
    a("--action", default="70:0.0.96.3.10.255:1")
    a("--tolerate-denied", action="store_true")
    a("--timeout", type=float, default=10)
    a("--json")
    a("--verbose", action="store_true")
    opt = p.parse_args(argv)
    logging.basicConfig(level=logging.CRITICAL)
    size = 32 if opt.suite == 2 else 16
    keyed = opt.ciphered or opt.auth == "gmac"
    keys = {"encryption_key": None, "authentication_key": None, "client_system_title": None}
    if keyed:
        keys = {"encryption_key": bytes.fromhex(opt.ek) if opt.ek else bytes(range(size)),
                "authentication_key": bytes.fromhex(opt.ak) if opt.ak else
                bytes(0xD0 + (i % 0x30) for i in range(size)),
                "client_system_title": bytes.fromhex(opt.system_title)}
    keys.update(security_suite=opt.suite, client_initial_invocation_counter=opt.ic,
                meter_initial_invocation_counter=opt.meter_ic, block_transfer=True,
                dedicated_ciphering=opt.dedicated, max_pdu_size=opt.max_pdu)
    client, counter = build(opt, keys)
    result = {"peer": "dlms-cosem", "version": metadata.version("dlms-cosem"), "ops": {}}
    code = 0
    t_start = time.perf_counter()
    try:
        client.connect()
    except Exception as ex:
        result["association"] = {"ok": False, "error": f"{type(ex).__name__}: {ex}"}
        code = 3
    if code == 0:
        t0 = time.perf_counter()
        try:
            aare = client.associate()
            result["association"] = {"ok": True, "seconds": round(time.perf_counter() - t0, 4),
                                     "result": str(aare.result)}
        except Exception as ex:
            result["association"] = {"ok": False, "error": f"{type(ex).__name__}: {ex}"}
            if opt.verbose:
                result["traceback"] = traceback.format_exc()
            code = 4
    if code == 0:
        ops = Ops(client, opt, counter)
        for name in [o for o in opt.ops.split(",") if o]:
            t0 = time.perf_counter()
            try:
                res = getattr(ops, name.replace("-", "_"))()
            except Exception as ex:
                res = {"fail": True, "error": f"{type(ex).__name__}: {ex}"[:300]}
                if opt.verbose:
                    res["traceback"] = traceback.format_exc()
            res["ok"] = not res.pop("fail", False)
            res["elapsed_s"] = round(time.perf_counter() - t0, 4)
            result["ops"][name] = res
            code = code if res["ok"] else 1
        try:
            count = counter()
            client.release_association()
            client.disconnect()
            result["release"] = {"ok": True}
        except Exception as ex:
            result["release"] = {"ok": False, "error": f"{type(ex).__name__}: {ex}"}
        if count:
            result["bytes"] = {"tx": count.tx, "rx": count.rx}
    result["total_s"] = round(time.perf_counter() - t_start, 4)
    result["peak_rss_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    text = json.dumps(result, indent=1)
    if opt.json:
        with open(opt.json, "w", encoding="utf-8") as f:
            f.write(text + "\n")
    else:
        print(text)
    return code


if __name__ == "__main__":
    sys.exit(main())
