#!/usr/bin/env python3
"""DLMS/COSEM server peer for interoperability tests.

The dispatcher, the framing and the ACSE are our own; the published package `gurux-dlms` (separate process,
never linked) supplies the COSEM objects, the A-XDR codec, the AARQ parser, HLS digests and AES-GCM.

Prints "LISTENING <port>" on stdout when ready.  Exit codes: 0 stopped by SIGTERM/SIGINT or
after --once connections; 2 bad command line; 3 the port could not be bound.
"""
import argparse
import datetime as dt
import hashlib
import json
import os
import random
import signal
import socket
import struct
import sys
import threading
import traceback

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap
from gurux_dlms import GXByteBuffer, GXDateTime, ValueEventArgs
from gurux_dlms.AesGcmParameter import AesGcmParameter
from gurux_dlms.GXCiphering import GXCiphering
from gurux_dlms.GXDLMSSettings import GXDLMSSettings
from gurux_dlms.GXSecure import GXSecure
from gurux_dlms._GXAPDU import _GXAPDU
from gurux_dlms._GXFCS16 import _GXFCS16
from gurux_dlms.enums import (Authentication, Conformance, DataType, InterfaceType, ObjectType,
                              Security, Unit)
from gurux_dlms.internal._GXCommon import _GXCommon
from gurux_dlms.internal._GXDataInfo import _GXDataInfo
from gurux_dlms.ConnectionState import ConnectionState
from gurux_dlms import objects as O
import compute_vectors as compute
from general_protection import GeneralProtection, Refused, verify_tags
from gurux_dlms.objects.enums import (ControlMode, ControlState, ImageTransferStatus,
                                      SecuritySuite, ScriptActionType, SortMethod)

SECURITY = {"none": 0x00, "auth": 0x10, "enc": 0x20, "authenc": 0x30}
AUTHS = {"none": 0, "lls": 1, "hls": 2, "md5": 3, "sha1": 4, "gmac": 5, "sha256": 6,
         "ecdsa": 7}
DAR_OK, DAR_HW, DAR_TEMP, DAR_DENIED, DAR_UNDEF = 0, 1, 2, 3, 4
DAR_CLASS, DAR_TYPE, DAR_SCOPE, DAR_NOLONG, DAR_BLOCK, DAR_OTHER = 9, 12, 13, 15, 19, 250

LOG = None


def log(*args):
    if LOG:
        print(*args, file=sys.stderr, flush=True)


# --------------------------------------------------------------------------- A-XDR helpers
def ln_bytes(text):
    return bytes(int(x) for x in text.split("."))


def ln_text(raw):
    return ".".join(str(x) for x in raw)


def length(n):
    if n < 0x80:
        return bytes((n,))
    if n < 0x100:
        return bytes((0x81, n))
    if n < 0x10000:
        return b"\x82" + struct.pack(">H", n)
    return b"\x84" + struct.pack(">I", n)


def take_length(buf, pos):
    n = buf[pos]
    pos += 1
    if n < 0x80:
        return n, pos
    size = n & 0x7F
    return int.from_bytes(buf[pos:pos + size], "big"), pos + size


def u8(v):
    return bytes((0x11, v))


def u16(v):
    return b"\x12" + struct.pack(">H", v)


def u32(v):
    return b"\x06" + struct.pack(">I", v)


def i8(v):
    return b"\x0f" + struct.pack(">b", v)


def octets(b):
    return b"\x09" + length(len(b)) + bytes(b)


def enum(v):
    return bytes((0x16, v))


def array(items):
    return b"\x01" + length(len(items)) + b"".join(items)


def struct_(*items):
    return b"\x02" + length(len(items)) + b"".join(items)


def cosem_time(t):
    return struct.pack(">HBBBBBBBhB", t.year, t.month, t.day, t.isoweekday(), t.hour,
                       t.minute, t.second, 0, 0, 0)


def parse_cosem_time(raw):
    raw = bytes(raw)
    if len(raw) < 8:
        return None
    year, month, day, _dow, hour, minute, second = struct.unpack(">HBBBBBB", raw[:8])
    if year == 0xFFFF:
        year = 1
    return dt.datetime(year, month if month <= 12 else 1, day if day <= 31 else 1,
                       hour if hour < 24 else 0, minute if minute < 60 else 0,
                       second if second < 60 else 0)


def skip_data(buf, pos):
    """Position after one A-XDR element."""
    tag = buf[pos]
    pos += 1
    fixed = {0: 0, 255: 0, 3: 1, 5: 4, 6: 4, 13: 1, 15: 1, 16: 2, 17: 1, 18: 2, 20: 8, 21: 8,
             22: 1, 23: 4, 24: 8, 25: 12, 26: 5, 27: 4}
    if tag in fixed:
        return pos + fixed[tag]
    n, pos = take_length(buf, pos)
    if tag in (1, 2):
        for _ in range(n):
            pos = skip_data(buf, pos)
        return pos
    if tag == 4:
        return pos + (n + 7) // 8
    if tag in (9, 10, 12):
        return pos + n
    raise ValueError(f"unknown data tag {tag}")


# First method offset of the classes whose short-name layout leaves a gap after the attributes.
SN_FIRST_METHOD = {3: 0x28, 4: 0x38, 5: 0x48, 6: 0x30, 7: 0x58, 8: 0x60, 9: 0x20, 12: 0x20,
                   15: 0x60, 17: 0x20, 18: 0x40, 20: 0x50, 40: 0x38, 70: 0x20, 72: 0x60}


def sn_first_method(obj):
    return SN_FIRST_METHOD.get(int(obj.objectType), 8 * obj.getAttributeCount())


# --------------------------------------------------------------------------- object model
class Model:
    """The COSEM objects of the logical device, shared by every connection."""

    def __init__(self, opt):
        self.send_ic = 1
        self.opt = opt
        self.settings = GXDLMSSettings(True, None)
        self.settings.interfaceType = InterfaceType.PDU
        self.lock = threading.RLock()
        self.objects = []
        self.by_key = {}
        self.raw = {}            # (class, ln, attribute) -> encoded bytes or callable
        self.read_only = set()
        self.rows = []
        self.row_times = []
        self.image = bytearray()
        self.image_blocks = set()
        self.push = None
        self._build()
        sn = 0x2000
        for o in self.objects:
            if o.objectType == ObjectType.ASSOCIATION_SHORT_NAME:
                o.shortName = 0xFA00
                continue
            o.shortName = sn
            span = max(8 * o.getAttributeCount(), sn_first_method(o)) + 8 * o.getMethodCount()
            sn += (span + 0x2F) & ~0x1F

    def add(self, obj, **fields):
        for k, v in fields.items():
            if not hasattr(obj, k):
                raise AttributeError(f"{type(obj).__name__} has no {k}")
            setattr(obj, k, v)
        self.objects.append(obj)
        self.by_key[(int(obj.objectType), obj.logicalName)] = obj
        return obj

    def data(self, ln, dtype, value, writable=True):
        obj = O.GXDLMSData(ln)
        obj.setDataType(2, dtype)
        obj.value = value
        self.add(obj)
        if not writable:
            self.read_only.add((1, ln, 2))
        return obj

    def _build(self):
        opt = self.opt
        now = GXDateTime(dt.datetime(2026, 1, 1))
        self.assoc = {}
        for n, sap in enumerate((opt.public_sap, opt.client_sap)):
            a = O.GXDLMSAssociationLogicalName(f"0.0.40.0.{n + 1}.255")
            a.clientSAP, a.serverSAP = sap, 1
            a.securitySetupReference = "0.0.43.0.0.255"
            a.secret = opt.password.encode()
            self.assoc[sap] = self.add(a)
        cur = O.GXDLMSAssociationLogicalName("0.0.40.0.0.255")
        cur.clientSAP, cur.serverSAP = opt.client_sap, 1
        cur.securitySetupReference = "0.0.43.0.0.255"
        self.current = self.add(cur)
        if opt.ref == "sn":
            self.add(O.GXDLMSAssociationShortName())
        self.data("0.0.42.0.0.255", DataType.OCTET_STRING, b"GUX1PEER00000001", False)
        self.data("0.0.96.1.0.255", DataType.OCTET_STRING, b"12345678", False)
        self.data("0.0.96.1.9.255", DataType.OCTET_STRING, b"scratch")
        self.ic = self.data("0.0.43.1.0.255", DataType.UINT32, 0, False)
        types = [(DataType.BOOLEAN, True), (DataType.INT8, -5), (DataType.INT16, -500),
                 (DataType.INT32, -70000), (DataType.INT64, -5_000_000_000),
                 (DataType.UINT8, 250), (DataType.UINT16, 65000),
                 (DataType.UINT32, 4_000_000_000), (DataType.UINT64, 1 << 63),
                 (DataType.ENUM, 7), (DataType.FLOAT32, 1.5), (DataType.FLOAT64, -2.25),
                 (DataType.STRING, "visible"), (DataType.STRING_UTF8, "h\u00e9llo"),
                 (DataType.BITSTRING, "1011001")]
        for n, (t, v) in enumerate(types):
            if t.name.lower() in opt.skip_types.split(","):
                continue
            self.data(f"0.0.96.200.{n}.255", t, v)
        reg = O.GXDLMSRegister("1.0.1.8.0.255")
        reg.setDataType(2, DataType.UINT32)
        self.add(reg, value=123456, scaler=10, unit=Unit.ACTIVE_ENERGY)
        for n in range(max(7, opt.profile_columns)):
            r = O.GXDLMSRegister(f"1.0.{n + 21}.7.0.255")
            r.setDataType(2, DataType.UINT32)
            self.add(r, value=1000 * n, scaler=0.1, unit=Unit.ACTIVE_POWER)
        er = O.GXDLMSExtendedRegister("1.0.1.6.0.255")
        er.setDataType(2, DataType.UINT32)
        er.setDataType(4, DataType.UINT8)
        self.add(er, value=777, scaler=1, unit=Unit.ACTIVE_POWER, status=0, captureTime=now)
        dr = O.GXDLMSDemandRegister("1.0.1.4.0.255")
        for i in (2, 3):
            dr.setDataType(i, DataType.UINT32)
        dr.setDataType(5, DataType.UINT8)
        self.add(dr, currentAverageValue=10, lastAverageValue=9, scaler=1,
                 unit=Unit.ACTIVE_POWER, status=0, captureTime=now, startTimeCurrent=now,
                 period=900, numberOfPeriods=1)
        self.clock = self.add(O.GXDLMSClock("0.0.1.0.0.255"), time=now, begin=now, end=now)
        st = O.GXDLMSScriptTable("0.0.10.0.106.255")
        for sid, meth in ((1, 1), (2, 2)):
            s = O.GXDLMSScript()
            s.id = sid
            act = O.GXDLMSScriptAction()
            act.type_ = ScriptActionType.EXECUTE
            act.objectType = ObjectType.DISCONNECT_CONTROL
            act.logicalName = "0.0.96.3.10.255"
            act.index, act.parameterDataType, act.parameter = meth, DataType.INT8, 0
            s.actions.append(act)
            st.scripts.append(s)
        self.add(st)
        self._calendar(now)
        sd = O.GXDLMSSpecialDaysTable("0.0.11.0.0.255")
        self.add(sd)
        self.raw[(11, "0.0.11.0.0.255", 2)] = array([
            struct_(u16(1), octets(bytes((0xFF, 0xFF, 12, 25, 0xFF))), u8(1)),
            struct_(u16(2), octets(bytes((7, 0xEA, 1, 1, 4))), u8(1))])
        self.dc = self.add(O.GXDLMSDisconnectControl("0.0.96.3.10.255"), outputState=True,
                           controlState=ControlState.CONNECTED, controlMode=ControlMode.MODE_1)
        lim = O.GXDLMSLimiter("0.0.17.0.0.255")
        lim.monitoredValue, lim.monitoredAttributeIndex = reg, 2
        for i in (3, 4, 5):
            lim.setDataType(i, DataType.UINT32)
        lim.thresholdActive = lim.thresholdNormal = lim.thresholdEmergency = 5000
        lim.minOverThresholdDuration = lim.minUnderThresholdDuration = 60
        lim.emergencyProfile.activationTime = now
        lim.emergencyProfileActive = False
        for it in (lim.actionOverThreshold, lim.actionUnderThreshold):
            it.logicalName, it.scriptSelector = "0.0.10.0.106.255", 1
        self.add(lim)
        self.it = self.add(O.GXDLMSImageTransfer("0.0.44.0.0.255"), imageBlockSize=opt.image_block)
        self.add(O.GXDLMSSecuritySetup("0.0.43.0.0.255"),
                 clientSystemTitle=bytearray(8), securitySuite=SecuritySuite(opt.suite),
                 serverSystemTitle=bytearray.fromhex(opt.system_title))
        self.raw[(64, "0.0.43.0.0.255", 2)] = enum(0)
        self.raw[(64, "0.0.43.0.0.255", 6)] = array([])
        ps = O.GXDLMSPushSetup("0.0.25.9.0.255")
        ps.version = 0
        self.add(ps)
        key = (40, "0.0.25.9.0.255")
        self.raw[key + (2,)] = array([
            struct_(u16(1), octets(ln_bytes("0.0.42.0.0.255")), i8(2), u16(0)),
            struct_(u16(8), octets(ln_bytes("0.0.1.0.0.255")), i8(2), u16(0)),
            struct_(u16(3), octets(ln_bytes("1.0.1.8.0.255")), i8(2), u16(0))])
        self.raw[key + (3,)] = struct_(enum(0), octets((opt.push_to or "127.0.0.1:4060").encode()),
                                       enum(0))
        self.raw[key + (4,)] = array([])
        self.raw[key + (5,)] = u16(0)
        self.raw[key + (6,)] = u8(0)
        self.raw[key + (7,)] = u16(0)
        ra = O.GXDLMSRegisterActivation("0.0.14.0.0.255")
        self.add(ra, activeMask=bytearray(b"RATE1"))
        key = (6, "0.0.14.0.0.255")
        self.raw[key + (2,)] = array([struct_(u16(3), octets(ln_bytes("1.0.1.8.0.255")))])
        self.raw[key + (3,)] = array([struct_(octets(b"RATE1"), array([u8(1)]))])
        self.add(O.GXDLMSRegisterMonitor("0.0.16.0.0.255"))
        key = (21, "0.0.16.0.0.255")
        self.raw[key + (2,)] = array([u32(1000), u32(2000)])
        self.raw[key + (3,)] = struct_(u16(3), octets(ln_bytes("1.0.1.8.0.255")), i8(2))
        item = struct_(octets(ln_bytes("0.0.10.0.106.255")), u16(1))
        self.raw[key + (4,)] = array([struct_(item, item)])
        sas = O.GXDLMSActionSchedule("0.0.15.0.0.255")
        self.add(sas)
        key = (22, "0.0.15.0.0.255")
        self.raw[key + (2,)] = struct_(octets(ln_bytes("0.0.10.0.106.255")), u16(1))
        self.raw[key + (4,)] = array([struct_(octets(bytes((0, 0, 0, 0))),
                                              octets(b"\xff\xff\xff\xff\xff"))])
        self.add(O.GXDLMSSapAssignment("0.0.41.0.0.255"))
        self.raw[(17, "0.0.41.0.0.255", 2)] = array([struct_(u16(1), octets(b"GUX1PEER00000001"))])
        self.add(O.GXDLMSHdlcSetup("0.0.22.0.0.255"), deviceAddress=16)
        self.add(O.GXDLMSTcpUdpSetup("0.0.25.0.0.255"), ipReference="0.0.25.1.0.255",
                 maximumSimultaneousConnections=4)
        self.add(O.GXDLMSIp4Setup("0.0.25.1.0.255"), dataLinkLayerReference="0.0.25.2.0.255")
        key = (42, "0.0.25.1.0.255")
        for i, a in ((3, "127.0.0.1"), (6, "255.0.0.0"), (7, "127.0.0.254"), (9, "127.0.0.53"),
                     (10, "127.0.0.54")):
            self.raw[key + (i,)] = u32(int.from_bytes(socket.inet_aton(a), "big"))
        self.raw[key + (4,)] = array([])
        self.raw[key + (5,)] = array([])
        self.add(O.GXDLMSGprsSetup("0.0.25.4.0.255"), apn="peer.apn", pinCode=1234)
        qos = struct_(u8(0), u8(0), u8(0), u8(0), u8(0))
        self.raw[(45, "0.0.25.4.0.255", 4)] = struct_(qos, qos)
        mb = O.GXDLMSMBusClient("0.1.24.1.0.255")
        self.add(mb, mBusPortReference="0.0.24.6.0.255", capturePeriod=3600, primaryAddress=1,
                 identificationNumber=12345678, manufacturerID=0x1CE8, dataHeaderVersion=1,
                 deviceType=3, accessNumber=0, status=0, alarm=0, configuration=0)
        self.raw[(72, "0.1.24.1.0.255", 3)] = array([struct_(octets(b"\x0c"), octets(b"\x13"))])
        self._prepayment(now)
        for o in (O.GXDLMSIECLocalPortSetup("0.0.20.0.0.255"),
                  O.GXDLMSMacAddressSetup("0.0.25.2.0.255")):
            self.add(o)
        self.by_key[(19, "0.0.20.0.0.255")].deviceAddress = "12345678"
        self.raw[(43, "0.0.25.2.0.255", 2)] = octets(bytes.fromhex("0011223344ff"))
        self._profile()

    def _calendar(self, now):
        self.add(O.GXDLMSActivityCalendar("0.0.13.0.0.255"), calendarNameActive="CAL-A",
                 calendarNamePassive="CAL-P", time=now)
        season = array([struct_(octets(b"S1"), octets(bytes.fromhex("ffff0101ff000000ff800000")),
                                octets(b"W1"))])
        week = array([struct_(octets(b"W1"), *[u8(1)] * 7)])
        day = array([struct_(u8(1), array([struct_(octets(bytes((0, 0, 0, 0))),
                                                   octets(ln_bytes("0.0.10.0.106.255")),
                                                   u16(1))]))])
        key = (20, "0.0.13.0.0.255")
        for i, v in ((3, season), (4, week), (5, day), (7, season), (8, week), (9, day)):
            self.raw[key + (i,)] = v

    def _prepayment(self, now):
        self.add(O.GXDLMSAccount("0.0.19.0.0.255"), creditReferences=["0.0.19.10.0.255"],
                 chargeReferences=["0.0.19.20.0.255"], accountActivationTime=now,
                 accountClosureTime=now)
        self.raw[(111, "0.0.19.0.0.255", 4)] = b"\x04\x08\x80"
        self.raw[(111, "0.0.19.0.0.255", 15)] = struct_(b"\x0c\x03EUR", i8(-2), enum(2))
        self.add(O.GXDLMSCredit("0.0.19.10.0.255"), currentCreditAmount=5000, period=now)
        self.raw[(112, "0.0.19.10.0.255", 5)] = b"\x04\x05\x00"
        self.add(O.GXDLMSCharge("0.0.19.20.0.255"), totalAmountPaid=100, lastCollectionTime=now,
                 unitChargeActivationTime=now)
        unit = struct_(struct_(i8(0), i8(0)),
                       struct_(u16(3), octets(ln_bytes("1.0.1.8.0.255")), i8(2)),
                       array([struct_(octets(b"T1"), b"\x10\x00\x05")]))
        for i in (5, 6):
            self.raw[(113, "0.0.19.20.0.255", i)] = unit
        self.raw[(113, "0.0.19.20.0.255", 9)] = b"\x04\x02\x00"
        self.add(O.GXDLMSTokenGateway("0.0.19.40.0.255"), token=bytearray(20), time=now)
        self.raw[(115, "0.0.19.40.0.255", 4)] = array([])
        self.raw[(115, "0.0.19.40.0.255", 6)] = struct_(enum(0), b"\x04\x00")

    def _profile(self):
        opt = self.opt
        cols = [(8, "0.0.1.0.0.255", 2)]
        for n in range(opt.profile_columns - 1):
            cols.append((3, f"1.0.{n + 21}.7.0.255", 2))
        self.cols = cols
        start = dt.datetime(2026, 1, 1)
        rnd = random.Random(1)
        for r in range(opt.profile_rows):
            t = start + dt.timedelta(seconds=opt.profile_period * r)
            cells = [octets(cosem_time(t))]
            cells += [u32(r * 10 + c + rnd.randrange(10)) for c in range(len(cols) - 1)]
            self.rows.append(cells)
            self.row_times.append(t)
        pg = O.GXDLMSProfileGeneric("1.0.99.1.0.255")
        self.add(pg, capturePeriod=opt.profile_period, sortMethod=SortMethod.FIFO,
                 profileEntries=max(opt.profile_rows, 1))
        key = (7, "1.0.99.1.0.255")
        self.raw[key + (3,)] = array([struct_(u16(c), octets(ln_bytes(ln)), i8(a), u16(0))
                                      for c, ln, a in cols])
        self.raw[key + (6,)] = struct_(u16(8), octets(ln_bytes("0.0.1.0.0.255")), i8(2), u16(0))
        self.raw[key + (7,)] = lambda: u32(len(self.rows))

    # -- attribute access ------------------------------------------------
    def find(self, cls, ln):
        return self.by_key.get((cls, ln))

    def get(self, sess, cls, ln, attr, selector=None, params=None):
        """Return (data-access-result, encoded value)."""
        obj = self.find(cls, ln)
        if obj is None:
            same_ln = any(k[1] == ln for k in self.by_key)
            return (DAR_CLASS if same_ln else DAR_UNDEF), b""
        if not 1 <= attr <= obj.getAttributeCount():
            return DAR_UNDEF, b""
        with self.lock:
            if cls == 15 and attr == 2:
                return DAR_OK, self.object_list(sess)
            if cls == 15:
                val = self.assoc_attr(sess, obj, attr)
                if val is not None:
                    return DAR_OK, val
            if cls == 12 and attr == 2:
                return DAR_OK, self.sn_list()
            if cls == 12 and attr == 3:
                return DAR_OK, array([])
            if cls == 12 and attr == 4:
                return DAR_OK, octets(ln_bytes("0.0.43.0.0.255"))
            if cls == 7 and attr == 2:
                return self.buffer(selector, params)
            if cls == 8 and attr == 2 and self.opt.real_clock:
                return DAR_OK, octets(cosem_time(dt.datetime.now()))
            if cls == 18 and attr == 3:
                n = -(-self.it.imageSize // self.it.imageBlockSize) if self.it.imageSize else 0
                bits = "".join("1" if i in self.image_blocks else "0" for i in range(n))
                packed = bytes(int(bits[i:i + 8].ljust(8, "0"), 2) for i in range(0, n, 8))
                return DAR_OK, b"\x04" + length(n) + packed
            if cls == 1 and ln == "0.0.43.1.0.255" and attr == 2:
                return DAR_OK, u32(max(self.ic.value, 0))
            raw = self.raw.get((cls, ln, attr))
            if raw is not None:
                return DAR_OK, raw() if callable(raw) else raw
            if attr == 1:
                return DAR_OK, octets(ln_bytes(ln))
            try:
                return DAR_OK, self.library_encode(obj, attr)
            except Exception as ex:
                log(f"gurux-dlms cannot encode {cls} {ln} attribute {attr}: "
                    f"{type(ex).__name__}: {ex}")
                return DAR_HW, b""

    def library_encode(self, obj, attr):
        e = ValueEventArgs(self.settings, obj, attr, 0, None)
        val = obj.getValue(self.settings, e)
        if e.error:
            raise ValueError(f"library error {e.error}")
        tp = obj.getDataType(attr)
        if val is None:
            return b"\x00"
        bb = GXByteBuffer()
        if isinstance(val, GXByteBuffer):
            bb.set(val.array())
        elif tp in (DataType.ARRAY, DataType.STRUCTURE) and isinstance(val, (bytes, bytearray)):
            bb.set(val)
        else:
            _GXCommon.setData(self.settings, bb, tp, val)
        raw = bytes(bb.array())
        if skip_data(raw, 0) != len(raw):
            raise ValueError(f"library produced a malformed value {raw.hex()}")
        return raw

    def object_list(self, sess):
        items = []
        for o in self.objects:
            attrs = array([struct_(i8(i), enum(1 if i == 1 or
                                               (int(o.objectType), o.logicalName, i)
                                               in self.read_only else 3), b"\x00")
                           for i in range(1, o.getAttributeCount() + 1)])
            meths = array([struct_(i8(i), enum(1))
                           for i in range(1, o.getMethodCount() + 1)])
            items.append(struct_(u16(int(o.objectType)), u8(o.version),
                                 octets(ln_bytes(o.logicalName)), struct_(attrs, meths)))
        return array(items)

    def sn_list(self):
        return array([struct_(b"\x10" + struct.pack(">H", o.shortName), u16(int(o.objectType)),
                              u8(o.version), octets(ln_bytes(o.logicalName)))
                      for o in self.objects])

    def assoc_attr(self, sess, obj, attr):
        ctx = 3 if sess and sess.ciphered else 1
        mech = int(sess.settings.authentication) if sess else 0
        if attr == 3:
            return struct_(i8(obj.clientSAP), u16(1))
        if attr == 4:
            return octets(bytes((0x60, 0x85, 0x74, 5, 8, 1, ctx)))
        if attr == 5:
            conf = int(sess.settings.negotiatedConformance) if sess else 0
            return struct_(b"\x04\x18" + sess.conf_bytes(conf), u16(self.opt.max_pdu),
                           u16(sess.pdu), u8(6), i8(0), octets(b""))
        if attr == 6:
            return octets(bytes((0x60, 0x85, 0x74, 5, 8, 2, mech)))
        if attr == 7:
            return octets(b"")
        if attr == 8:
            return enum(2 if sess and sess.associated else 1)
        if attr == 9:
            return octets(ln_bytes("0.0.43.0.0.255"))
        if attr == 10:
            return array([])
        if attr == 11:
            return struct_(u8(0), b"\x0a\x00")
        return None

    def buffer(self, selector, params):
        rows = range(len(self.rows))
        columns = None
        try:
            if selector == 1:
                lo, hi = parse_cosem_time(params[1]), parse_cosem_time(params[2])
                rows = [i for i in rows if lo <= self.row_times[i] <= hi]
                if params[3]:
                    want = [(c[0], ln_text(c[1]), c[2]) for c in params[3]]
                    columns = [i for i, c in enumerate(self.cols) if c in want]
            elif selector == 2:
                first, last, c0, c1 = params
                last = last or len(self.rows)
                rows = range(max(first, 1) - 1, min(last, len(self.rows)))
                columns = list(range(max(c0, 1) - 1, c1 or len(self.cols)))
            elif selector:
                return DAR_SCOPE, b""
        except Exception as ex:
            log("bad selective access:", ex)
            return DAR_TYPE, b""
        out = [b"\x01" + length(len(rows))]
        if columns is None or columns == list(range(len(self.cols))):
            head = b"\x02" + length(len(self.cols))
            for i in rows:
                out.append(head)
                out.extend(self.rows[i])
        else:
            head = b"\x02" + length(len(columns))
            for i in rows:
                out.append(head)
                out.extend(self.rows[i][c] for c in columns)
        return DAR_OK, b"".join(out)

    def set(self, sess, cls, ln, attr, raw):
        obj = self.find(cls, ln)
        if obj is None or not 1 <= attr <= obj.getAttributeCount():
            return DAR_UNDEF
        if attr == 1 or (cls, ln, attr) in self.read_only:
            return DAR_DENIED
        try:
            if skip_data(raw, 0) != len(raw):
                return DAR_TYPE
        except Exception:
            return DAR_TYPE
        with self.lock:
            if (cls, ln, attr) in self.raw:
                self.raw[(cls, ln, attr)] = bytes(raw)
                return DAR_OK
            if cls == 1:
                obj.setDataType(2, DataType(raw[0]))
                self.raw[(cls, ln, attr)] = bytes(raw)
                return DAR_OK
            if cls == 8 and attr == 2:
                self.raw[(cls, ln, attr)] = bytes(raw)
                return DAR_OK
            try:
                e = ValueEventArgs(self.settings, obj, attr, 0, None)
                value = decode(self.settings, raw)
                if isinstance(value, (bytes, bytearray)):
                    ui = obj.getUIDataType(attr)
                    if ui not in (DataType.NONE, DataType.OCTET_STRING):
                        value = _GXCommon.changeType(self.settings, value, ui)
                e.value = value
                obj.setValue(self.settings, e)
                return DAR_OK if not e.error else int(e.error)
            except Exception as ex:
                log(f"gurux-dlms cannot set {cls} {ln} attribute {attr}: "
                    f"{type(ex).__name__}: {ex}")
                self.raw[(cls, ln, attr)] = bytes(raw)
                return DAR_OK

    # -- methods ---------------------------------------------------------
    def action(self, sess, cls, ln, method, raw):
        """Return (action-result, encoded return value or None)."""
        obj = self.find(cls, ln)
        if obj is None or method < 1:
            return DAR_UNDEF, None
        if cls not in (15,) and method > obj.getMethodCount():
            return DAR_UNDEF, None
        value = decode(self.settings, raw) if raw else None
        with self.lock:
            if cls == 15 and method == 1:
                return sess.reply_to_hls(value)
            if cls == 70:
                on = method == 2
                obj.outputState = on
                obj.controlState = ControlState.CONNECTED if on else ControlState.DISCONNECTED
                return DAR_OK, None
            if cls == 7:
                if method == 1:
                    self.rows, self.row_times = [], []
                else:
                    t = dt.datetime.now()
                    self.rows.append([octets(cosem_time(t))]
                                     + [u32(0)] * (len(self.cols) - 1))
                    self.row_times.append(t)
                return DAR_OK, None
            if cls == 9:
                script = next((s for s in obj.scripts if s.id == value), None)
                if script is None:
                    return DAR_SCOPE, None
                for a in script.actions:
                    self.action(sess, int(a.objectType), a.logicalName, a.index, i8(0))
                return DAR_OK, None
            if cls == 18:
                return self.image_method(method, value), None
            if cls == 40 and method == 1:
                threading.Thread(target=sess.push, daemon=True).start()
                return DAR_OK, None
            if cls in (3, 4):
                obj.value = 0
                return DAR_OK, None
            if cls == 5:
                obj.currentAverageValue = obj.lastAverageValue = 0
                return DAR_OK, None
            if cls == 64:
                return self.security_method(sess, method, value)
            if cls in (8, 6, 17, 20, 22, 72, 111, 112, 113, 115, 11):
                return DAR_OK, None
        return DAR_OTHER, None

    def image_method(self, method, value):
        it = self.it
        if method == 1:
            it.imageSize = value[1]
            self.image = bytearray(it.imageSize)
            self.image_blocks = set()
            it.imageFirstNotTransferredBlockNumber = 0
            it.imageTransferStatus = ImageTransferStatus.IMAGE_TRANSFER_INITIATED
            return DAR_OK
        if method == 2:
            if it.imageTransferStatus != ImageTransferStatus.IMAGE_TRANSFER_INITIATED:
                return DAR_DENIED
            n, block = value[0], bytes(value[1])
            off = n * it.imageBlockSize
            if off + len(block) > len(self.image):
                return DAR_SCOPE
            self.image[off:off + len(block)] = block
            self.image_blocks.add(n)
            k = 0
            while k in self.image_blocks:
                k += 1
            it.imageFirstNotTransferredBlockNumber = k
            return DAR_OK
        if method == 3:
            total = -(-it.imageSize // it.imageBlockSize)
            done = len(self.image_blocks) == total
            it.imageTransferStatus = (ImageTransferStatus.IMAGE_VERIFICATION_SUCCESSFUL if done
                                      else ImageTransferStatus.IMAGE_VERIFICATION_FAILED)
            log("image sha256", hashlib.sha256(self.image).hexdigest())
            return DAR_OK if done else DAR_OTHER
        it.imageTransferStatus = ImageTransferStatus.IMAGE_ACTIVATION_SUCCESSFUL
        return DAR_OK

    def install(self, keys):
        """Takes keys for the associations to come."""
        names = {0: "ek", 2: "ak", 3: "kek"}
        if not keys or any(kid not in names for kid, _ in keys):
            return DAR_OTHER
        for kid, key in keys:
            setattr(self.opt, names[kid], key.hex())
        return DAR_OK

    def security_method(self, sess, method, value):
        if method == 1:
            return DAR_OK, None
        if method == 2:      # key_transfer: array of {key id, RFC 3394 wrapped key}
            kek = bytes.fromhex(self.opt.kek)
            try:
                keys = [(kid, aes_key_unwrap(kek, bytes(wrapped))) for kid, wrapped in value]
            except InvalidUnwrap:
                return DAR_OTHER, None
            return self.install(keys), None
        if method == 3:      # key_agreement: array of {key id, ephemeral key and its signature}
            suite, keys, answers = self.opt.suite, [], []
            half = 2 * compute.size(suite)
            other = (compute.AES_GCM[suite] + bytes(sess.settings.sourceSystemTitle)
                     + sess.general.own_title)
            try:
                for kid, data in value:
                    point, signature = bytes(data)[:half], bytes(data)[half:]
                    sess.general.verify(signature, bytes((kid,)) + point)
                    own = ec.generate_private_key(compute.CURVES[suite])
                    z = own.exchange(ec.ECDH(), sess.general.point(point))
                    keys.append((kid, compute.derive(suite, z, other)))
                    point = compute.public(suite, own)
                    private = sess.general.private("signing")
                    signature = compute.sign(suite, private, bytes((kid,)) + point)
                    answers.append(struct_(enum(kid), octets(point + signature)))
            except Refused:
                return DAR_OTHER, None
            return self.install(keys), array(answers)
        return DAR_OTHER, None


def decode(settings, raw):
    info = _GXDataInfo()
    return _GXCommon.getData(settings, GXByteBuffer(bytearray(raw)), info)


# --------------------------------------------------------------------------- session
class Session:
    """One association; knows nothing about framing."""

    def __init__(self, model, opt, send_unsolicited):
        self.model, self.opt, self.unsolicited = model, opt, send_unsolicited
        s = self.settings = GXDLMSSettings(True, None)
        s.setUseLogicalNameReferencing(opt.ref == "ln")
        s.interfaceType = InterfaceType.PDU
        s.proposedConformance = opt.conformance
        s.maxServerPDUSize = opt.max_pdu
        s.cipher = GXCiphering(bytearray.fromhex(opt.system_title))
        s.cipher.invocationCounter = model.send_ic
        self.reset()

    def reset(self):
        s, o = self.settings, self.opt
        s.authentication = Authentication.NONE
        s.negotiatedConformance = Conformance.NONE
        s.password = s.ctoSChallenge = s.stoCChallenge = s.sourceSystemTitle = None
        s.cipher.blockCipherKey = bytearray.fromhex(o.ek)
        s.cipher.authenticationKey = bytearray.fromhex(o.ak)
        s.cipher.securitySuite = SecuritySuite(o.suite)
        s.cipher.dedicatedKey = None
        s.cipher.security = Security.NONE
        self.associated = self.pending = self.ciphered = False
        self.general = GeneralProtection(o.suite, bytes.fromhex(o.system_title), vars(o))
        self.form = None            # of the general-ciphering or general-signing of the request
        self.pdu = o.max_pdu
        self.get_rest = None        # (invoke id, bytes, next block number)
        self.set_part = self.act_part = None
        self.gbt_in, self.gbt_out = b"", None
        if o.pre_established:
            self.associated = True
            s.sourceSystemTitle = bytearray.fromhex(o.peer_system_title)
            s.negotiatedConformance = o.conformance
            s.connected = ConnectionState.DLMS

    # -- ciphering -------------------------------------------------------
    GLO = {0xC8: 0xC0, 0xC9: 0xC1, 0xCB: 0xC3, 0x25: 0x05, 0x26: 0x06, 0x21: 0x01}
    DED = {0xD0: 0xC0, 0xD1: 0xC1, 0xD3: 0xC3}
    GLO_RSP = {0xC4: 0xCC, 0xC5: 0xCD, 0xC7: 0xCF, 0x0C: 0x2C, 0x0D: 0x2D}
    DED_RSP = {0xC4: 0xD4, 0xC5: 0xD5, 0xC7: 0xD7}

    def decipher(self, apdu):
        c = self.settings.cipher
        tag = apdu[0]
        ded = tag in self.DED or tag == 0xDC
        key = c.dedicatedKey if ded else c.blockCipherKey
        p = AesGcmParameter(tag, self.settings.sourceSystemTitle, key, c.authenticationKey)
        plain = GXCiphering.decrypt(self.settings, p, GXByteBuffer(bytearray(apdu)))
        if p.systemTitle is not None:
            self.settings.sourceSystemTitle = p.systemTitle
        if not ded:
            if self.opt.check_ic and p.invocationCounter < self.model.ic.value:
                raise InvocationCounter(self.model.ic.value)
            self.model.ic.value = p.invocationCounter + 1
        c.security = p.security
        self.ciphered = True
        plain = plain.array() if hasattr(plain, "array") else plain
        return bytes(plain), tag

    def encipher(self, apdu, req_tag):
        c = self.settings.cipher
        if req_tag in (0xDB, 0xDC):
            tag, key = req_tag, c.dedicatedKey if req_tag == 0xDC else c.blockCipherKey
        elif req_tag in self.DED:
            tag, key = self.DED_RSP.get(apdu[0]), c.dedicatedKey
        else:
            tag, key = self.GLO_RSP.get(apdu[0]), c.blockCipherKey
        if apdu[0] == 0xDF:
            tag = req_tag
        if tag is None:
            return apdu
        p = AesGcmParameter(tag, c.systemTitle, key, c.authenticationKey)
        p.security, p.securitySuite = c.security, c.securitySuite
        p.invocationCounter = self.next_ic()
        return bytes(GXCiphering.encrypt(p, bytearray(apdu)))

    def next_ic(self):
        c = self.settings.cipher
        ic = c.invocationCounter
        # The counter belongs to the key, not to the association: it never starts again.
        c.invocationCounter = self.model.send_ic = ic + 1
        return ic

    # -- entry -----------------------------------------------------------
    def handle(self, apdu):
        """Return the list of response APDUs (possibly empty)."""
        tag = apdu[0]
        try:
            if tag == 0x60:
                return [self.aarq(apdu)]
            if tag == 0x62:
                return [self.release(apdu)]
            if tag == 0xE0:
                return self.gbt(apdu)
            req_tag = None
            self.form = None
            if tag in self.GLO or tag in self.DED or tag in (0xDB, 0xDC):
                plain, req_tag = self.decipher(apdu)
                if plain[0] == 0xDF:
                    plain, self.form = self.general.open(plain, self.settings.sourceSystemTitle)
            elif tag in (0xDD, 0xDF):
                plain, self.form = self.general.open(apdu, self.settings.sourceSystemTitle)
                required = self.required_security()
                if self.form.control & 0x30 & required != required:
                    return [b"\xd8\x01\x05"]
            else:
                plain = apdu
                if self.required_security() and self.associated:
                    return [b"\xd8\x01\x05"]
            if plain[0] == 0xE0:
                return self.gbt(plain)
            rsp = self.service(plain)
            if rsp is None:
                return []
            if self.form is not None:
                rsp = self.general.seal(rsp, self.form, self.settings.sourceSystemTitle, self.next_ic())
            if req_tag is not None:
                rsp = self.encipher(rsp, req_tag)
            if (int(self.settings.negotiatedConformance) & int(Conformance.GENERAL_BLOCK_TRANSFER)
                    and len(rsp) > self.pdu):
                return self.gbt_start(rsp)
            return [rsp]
        except InvocationCounter as ex:
            return [b"\xd8\x01\x06" + struct.pack(">I", ex.args[0])]
        except Exception as ex:
            log("request failed:", traceback.format_exc())
            decipher = "Decrypt" in str(ex) or "tag" in str(ex)
            return [b"\xd8\x01" + (b"\x05" if decipher else b"\x03")]

    def required_security(self):
        return SECURITY[self.opt.security_policy]

    # -- ACSE ------------------------------------------------------------
    @staticmethod
    def conf_bytes(conf):
        out = bytearray(3)
        for bit in range(24):
            if int(conf) & (1 << bit):
                out[bit // 8] |= 0x80 >> (bit % 8)
        return bytes(out)

    def aarq(self, apdu):
        s = self.settings
        self.reset()
        result, diag = 0, 0
        try:
            _GXAPDU.parsePDU(s, s.cipher, GXByteBuffer(bytearray(apdu)), None)
        except Exception as ex:
            log("AARQ rejected:", type(ex).__name__, ex)
            return self.aare(1, 1, False, error=b"\x0e\x01\x06\x01")
        self.ciphered = int(s.cipher.security) != 0
        if self.ciphered and self.opt.check_ic:
            self.note_aarq_ic(apdu)
        mech = int(s.authentication)
        if int(s.negotiatedConformance) == 0:
            return self.aarq_error(b"\x0e\x01\x06\x02")
        if s.dlmsVersion != 6:
            return self.aarq_error(b"\x0e\x01\x06\x01")
        if 0 < s.maxPduSize < 64:
            return self.aarq_error(b"\x0e\x01\x06\x03")
        self.pdu = min(s.maxPduSize or self.opt.max_pdu, self.opt.max_pdu)
        s.maxPduSize = self.pdu
        allowed = self.opt.auth
        if allowed != "any" and mech not in (AUTHS[allowed], 0 if self.opt.public else AUTHS[allowed]):
            result, diag = 1, 11
        elif mech == 1 and bytes(s.password or b"") != self.opt.password.encode():
            result, diag = 1, 13
        elif mech > 1:
            diag = 14
            n = self.opt.challenge
            s.stoCChallenge = bytearray(os.urandom(n))
            self.pending = True
        if result == 0 and mech <= 1:
            self.associated = True
            s.connected = ConnectionState.DLMS
        return self.aare(result, diag, mech > 1 and result == 0)

    def note_aarq_ic(self, apdu):
        """Remember the counter of the ciphered initiate request inside the user information."""
        _, pos = take_length(apdu, 1)
        while pos < len(apdu):
            n, body = take_length(apdu, pos + 1)
            if apdu[pos] == 0xBE:
                _, inner = take_length(apdu, body + 1)        # skip the OCTET STRING header
                if apdu[inner] in (0x21, 0x41):
                    _, sc = take_length(apdu, inner + 1)
                    ic = struct.unpack(">I", apdu[sc + 1:sc + 5])[0]
                    self.model.ic.value = max(self.model.ic.value, ic + 1)
                return
            pos = body + n

    def aarq_error(self, err):
        return self.aare(1, 1, False, error=err)

    def aare(self, result, diag, hls, error=None):
        s = self.settings
        ctx = (1 if s.getUseLogicalNameReferencing() else 2) + (2 if self.ciphered else 0)
        out = b"\xa1\x09\x06\x07\x60\x85\x74\x05\x08\x01" + bytes((ctx,))
        out += b"\xa2\x03\x02\x01" + bytes((result,))
        out += b"\xa3\x05\xa1\x03\x02\x01" + bytes((diag,))
        if self.ciphered or int(s.authentication) in (5, 6, 7):
            title = bytes(s.cipher.systemTitle)
            out += b"\xa4" + bytes((len(title) + 2,)) + b"\x04" + bytes((len(title),)) + title
        if hls:
            ch = bytes(s.stoCChallenge)
            out += b"\x88\x02\x07\x80\x89\x07\x60\x85\x74\x05\x08\x02"
            out += bytes((int(s.authentication),))
            out += b"\xaa" + length(len(ch) + 2) + b"\x80" + length(len(ch)) + ch
        if error is not None:
            info = error
        elif result == 0:
            vaa = 0x0007 if s.getUseLogicalNameReferencing() else 0xFA00
            info = (b"\x08\x00\x06\x5f\x1f\x04\x00"
                    + self.conf_bytes(s.negotiatedConformance)
                    + struct.pack(">HH", self.pdu, vaa))
            if self.ciphered:
                c = s.cipher
                p = AesGcmParameter(0x28, c.systemTitle, c.blockCipherKey, c.authenticationKey)
                p.security, p.securitySuite = c.security, c.securitySuite
                p.invocationCounter = self.next_ic()
                info = bytes(GXCiphering.encrypt(p, bytearray(info)))
        else:
            info = None
        if info is not None:
            out += b"\xbe" + length(len(info) + 1 + len(length(len(info))))
            out += b"\x04" + length(len(info)) + info
        return b"\x61" + length(len(out)) + out

    def release(self, apdu):
        self.associated = False
        rsp = b"\x80\x01\x00"
        if b"\xbe" in apdu[2:8]:
            info = (b"\x08\x00\x06\x5f\x1f\x04\x00"
                    + self.conf_bytes(self.settings.negotiatedConformance)
                    + struct.pack(">HH", self.pdu, 7))
            if self.ciphered:
                c = self.settings.cipher
                p = AesGcmParameter(0x28, c.systemTitle, c.blockCipherKey, c.authenticationKey)
                p.security, p.securitySuite = c.security, c.securitySuite
                p.invocationCounter = self.next_ic()
                info = bytes(GXCiphering.encrypt(p, bytearray(info)))
            rsp += b"\xbe" + length(len(info) + 1 + len(length(len(info))))
            rsp += b"\x04" + length(len(info)) + info
        return b"\x63" + length(len(rsp)) + rsp

    # -- HLS pass 3/4 ----------------------------------------------------
    def secret_for(self, from_client):
        s = self.settings
        mech = int(s.authentication)
        mine, theirs = bytes(s.cipher.systemTitle), bytes(s.sourceSystemTitle or b"")
        c2s, s2c = bytes(s.ctoSChallenge or b""), bytes(s.stoCChallenge or b"")
        pw = self.opt.password.encode()
        if mech == 6:
            return (pw + theirs + mine + s2c + c2s) if from_client else (
                pw + mine + theirs + c2s + s2c)
        if mech == 7:
            return (theirs + mine + s2c + c2s) if from_client else (mine + theirs + c2s + s2c)
        if mech == 5:
            return theirs if from_client else mine
        return pw

    def reply_to_hls(self, value):
        s = self.settings
        mech = int(s.authentication)
        if not self.pending or not isinstance(value, (bytes, bytearray)):
            return DAR_DENIED, None
        value = bytes(value)
        if mech == 7:
            good = self.ecdsa_verify(value, self.secret_for(True))
        else:
            ic = struct.unpack(">I", value[1:5])[0] if mech == 5 and len(value) >= 5 else 0
            want = GXSecure.secure(s, s.cipher, ic, s.stoCChallenge,
                                   bytearray(self.secret_for(True)))
            good = bytes(want) == value
        if not good:
            log("HLS pass 3 does not match")
            self.pending = False
            return DAR_DENIED, None
        self.pending, self.associated = False, True
        s.connected = ConnectionState.DLMS
        if mech == 7:
            answer = self.ecdsa_sign(self.secret_for(False))
        else:
            ic = self.next_ic() if mech == 5 else 0
            answer = bytes(GXSecure.secure(s, s.cipher, ic, s.ctoSChallenge,
                                           bytearray(self.secret_for(False))))
        return DAR_OK, octets(answer)

    def _curve(self):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        if self.opt.suite == 2:
            return ec.SECP384R1(), hashes.SHA384(), 48
        return ec.SECP256R1(), hashes.SHA256(), 32

    def ecdsa_sign(self, msg):
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
        curve, hsh, n = self._curve()
        key = ec.derive_private_key(int(self.opt.signing_key, 16), curve)
        r, v = decode_dss_signature(key.sign(msg, ec.ECDSA(hsh)))
        return r.to_bytes(n, "big") + v.to_bytes(n, "big")

    def ecdsa_verify(self, sig, msg):
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
        curve, hsh, n = self._curve()
        pub = ec.EllipticCurvePublicKey.from_encoded_point(
            curve, b"\x04" + bytes.fromhex(self.opt.peer_signing_key))
        try:
            pub.verify(encode_dss_signature(int.from_bytes(sig[:n], "big"),
                                            int.from_bytes(sig[n:], "big")), msg, ec.ECDSA(hsh))
            return True
        except (InvalidSignature, ValueError):
            return False

    # -- xDLMS services --------------------------------------------------
    def service(self, a):
        tag = a[0]
        if not self.associated and not (tag == 0xC3 and self.pending) and not (
                tag in (0x06, 0x05) and self.pending) and not self.opt.pre_established:
            return b"\xd8\x01\x01"
        if tag == 0xC0:
            return self.get_request(a)
        if tag == 0xC1:
            return self.set_request(a)
        if tag == 0xC3:
            return self.action_request(a)
        if tag == 0xD9:
            return self.access_request(a)
        if tag == 0x05:
            return self.sn_read(a)
        if tag == 0x06:
            return self.sn_write(a)
        return b"\xd8\x01\x02"

    @staticmethod
    def descriptor(a, pos):
        cls = struct.unpack(">H", a[pos:pos + 2])[0]
        return cls, ln_text(a[pos + 2:pos + 8]), struct.unpack(">b", a[pos + 8:pos + 9])[0], pos + 9

    def selective(self, a, pos):
        if not a[pos]:
            return None, None, pos + 1
        sel = a[pos + 1]
        end = skip_data(a, pos + 2)
        return sel, decode(self.settings, a[pos + 2:end]), end

    def get_request(self, a):
        kind, iid = a[1], a[2]
        if kind == 1:
            cls, ln, attr, pos = self.descriptor(a, 3)
            sel, par, _ = self.selective(a, pos)
            dar, val = self.model.get(self, cls, ln, attr, sel, par)
            if dar:
                return bytes((0xC4, 1, iid, 1, dar))
            return self.get_reply(iid, val, b"\xc4\x01" + bytes((iid,)) + b"\x00")
        if kind == 3:
            n, pos = take_length(a, 3)
            out = length(n)
            for _ in range(n):
                cls, ln, attr, pos = self.descriptor(a, pos)
                sel, par, pos = self.selective(a, pos)
                dar, val = self.model.get(self, cls, ln, attr, sel, par)
                out += bytes((1, dar)) if dar else b"\x00" + val
            return self.get_reply(iid, out, b"\xc4\x03" + bytes((iid,)))
        if kind == 2:
            block = struct.unpack(">I", a[3:7])[0]
            if not self.get_rest:
                return b"\xc4\x02" + bytes((iid,)) + b"\x01" + a[3:7] + bytes((1, DAR_NOLONG))
            rest, nxt = self.get_rest
            if block != nxt:
                self.get_rest = None
                return b"\xc4\x02" + bytes((iid,)) + b"\x01" + a[3:7] + bytes((1, DAR_BLOCK))
            return self.get_block(iid, rest, nxt + 1)
        return b"\xd8\x01\x02"

    def overhead(self):
        if self.form is not None:
            return 500
        return 40 if self.ciphered else 0

    def has(self, bit):
        return bool(int(self.settings.negotiatedConformance) & int(bit))

    def get_reply(self, iid, val, head):
        if len(head) + len(val) + self.overhead() <= self.pdu or self.has(
                Conformance.GENERAL_BLOCK_TRANSFER):
            self.get_rest = None
            return head + val
        return self.get_block(iid, memoryview(val), 1)

    def get_block(self, iid, rest, number):
        size = self.pdu - 16 - self.overhead()
        part, rest = rest[:size], rest[size:]
        last = 0 if len(rest) else 1
        self.get_rest = None if last else (rest, number)
        return (b"\xc4\x02" + bytes((iid, last)) + struct.pack(">I", number) + b"\x00"
                + length(len(part)) + bytes(part))

    def set_request(self, a):
        kind, iid = a[1], a[2]
        if kind == 1:
            cls, ln, attr, pos = self.descriptor(a, 3)
            _, _, pos = self.selective(a, pos)
            return bytes((0xC5, 1, iid, self.model.set(self, cls, ln, attr, a[pos:])))
        if kind == 2:
            cls, ln, attr, pos = self.descriptor(a, 3)
            _, _, pos = self.selective(a, pos)
            return self.set_block(a, pos, iid, [(cls, ln, attr)])
        if kind == 3:
            return self.set_block(a, 3, iid, None)
        if kind == 4:
            n, pos = take_length(a, 3)
            targets = []
            for _ in range(n):
                cls, ln, attr, pos = self.descriptor(a, pos)
                _, _, pos = self.selective(a, pos)
                targets.append((cls, ln, attr))
            n, pos = take_length(a, pos)
            out = length(n)
            for t in targets[:n]:
                end = skip_data(a, pos)
                out += bytes((self.model.set(self, *t, a[pos:end]),))
                pos = end
            return bytes((0xC5, 5, iid)) + out
        return b"\xd8\x01\x02"

    def set_block(self, a, pos, iid, targets):
        last, block = a[pos], struct.unpack(">I", a[pos + 1:pos + 5])[0]
        n, pos = take_length(a, pos + 5)
        raw = a[pos:pos + n]
        if targets is not None:
            self.set_part = (targets, raw, 1)
        else:
            if self.set_part is None or block != self.set_part[2]:
                self.set_part = None
                return bytes((0xC5, 3, iid, DAR_BLOCK)) + struct.pack(">I", block)
            self.set_part = (self.set_part[0], self.set_part[1] + raw, block)
        targets, acc, _ = self.set_part
        if not last:
            self.set_part = (targets, acc, block + 1)
            return bytes((0xC5, 2, iid)) + struct.pack(">I", block)
        self.set_part = None
        return bytes((0xC5, 3, iid, self.model.set(self, *targets[0], acc))) + struct.pack(
            ">I", block)

    def action_request(self, a):
        kind, iid = a[1], a[2]
        if kind == 1:
            cls, ln, meth, pos = self.descriptor(a, 3)
            raw = a[pos + 1:] if a[pos] else b""
            return self.action_reply(iid, *self.model.action(self, cls, ln, meth, raw))
        if kind == 2:
            block = a[3:7]
            return b"\xc7\x02" + bytes((iid, 1)) + block + b"\x00"
        if kind == 3:
            n, pos = take_length(a, 3)
            targets = []
            for _ in range(n):
                cls, ln, meth, pos = self.descriptor(a, pos)
                targets.append((cls, ln, meth))
            n, pos = take_length(a, pos)
            out = length(n)
            for t in targets[:n]:
                end = skip_data(a, pos)
                res, val = self.model.action(self, *t, a[pos:end])
                out += bytes((res,)) + (b"\x01\x00" + val if val is not None else b"\x00")
                pos = end
            return bytes((0xC7, 3, iid)) + out
        if kind in (4, 6):
            if kind == 4:
                cls, ln, meth, pos = self.descriptor(a, 3)
                self.act_part = [(cls, ln, meth), b""]
            else:
                pos = 3
            if self.act_part is None:
                return bytes((0xC7, 1, iid, DAR_BLOCK, 0))
            last, block = a[pos], a[pos + 1:pos + 5]
            n, pos = take_length(a, pos + 5)
            self.act_part[1] += a[pos:pos + n]
            if not last:
                return b"\xc7\x04" + bytes((iid,)) + block
            target, raw = self.act_part
            self.act_part = None
            return self.action_reply(iid, *self.model.action(self, *target, raw))
        return b"\xd8\x01\x02"

    @staticmethod
    def action_reply(iid, res, val):
        out = bytes((0xC7, 1, iid, res))
        return out + (b"\x01\x00" + val if val is not None and not res else b"\x00")

    def access_request(self, a):
        liid = a[1:5]
        n, pos = take_length(a, 5)
        pos += n
        n, pos = take_length(a, pos)
        specs = []
        for _ in range(n):
            kind = a[pos]
            cls, ln, idx, pos = self.descriptor(a, pos + 1)
            sel = None
            if kind in (4, 5):
                sel = a[pos]
                end = skip_data(a, pos + 1)
                sel = (sel, decode(self.settings, a[pos + 1:end]))
                pos = end
            specs.append((kind, cls, ln, idx, sel))
        n, pos = take_length(a, pos)
        data = []
        for _ in range(n):
            end = skip_data(a, pos)
            data.append(a[pos:end])
            pos = end
        values, results = b"", b""
        for (kind, cls, ln, idx, sel), raw in zip(specs, data):
            if kind in (1, 4):
                res, val = self.model.get(self, cls, ln, idx, *(sel or (None, None)))
                values += b"\x00" if res else val
            elif kind in (2, 5):
                res = self.model.set(self, cls, ln, idx, raw)
                values += b"\x00"
            else:
                res, val = self.model.action(self, cls, ln, idx, raw)
                values += b"\x00" if res or val is None else val
            results += bytes(({4: 1, 5: 2}.get(kind, kind), res))
        return (b"\xda" + liid + b"\x00" + b"\x00" + length(len(specs)) + values
                + length(len(specs)) + results)

    # -- short names -----------------------------------------------------
    def sn_target(self, sn):
        """(object, attribute, method) addressed by a short name; one of the two is 0."""
        for o in self.model.objects:
            if not o.shortName or sn < o.shortName:
                continue
            off, first = sn - o.shortName, sn_first_method(o)
            if off < 8 * o.getAttributeCount() and off < first:
                return o, off // 8 + 1, 0
            if first <= off < first + 8 * o.getMethodCount():
                return o, 0, (off - first) // 8 + 1
        return None, 0, 0

    def sn_read(self, a):
        n, pos = take_length(a, 1)
        out = b""
        for _ in range(n):
            kind = a[pos]
            if kind == 5:
                block = struct.unpack(">H", a[pos + 1:pos + 3])[0]
                pos += 3
                if not self.get_rest or self.get_rest[1] != block:
                    out += bytes((1, DAR_BLOCK))
                    continue
                return self.sn_block(self.get_rest[0], block + 1)
            sn = struct.unpack(">H", a[pos + 1:pos + 3])[0]
            pos += 3
            sel = par = None
            if kind == 4:
                sel = a[pos]
                end = skip_data(a, pos + 1)
                par_raw = a[pos + 1:end]
                par = decode(self.settings, par_raw)
                pos = end
            obj, attr, method = self.sn_target(sn)
            if obj is None:
                out += bytes((1, DAR_UNDEF))
                continue
            if method:
                dar, val = self.sn_method(obj, method, par, par_raw if kind == 4 else b"\x00")
                out += bytes((1, dar)) if dar else b"\x00" + (val or b"\x00")
                continue
            dar, val = self.model.get(self, int(obj.objectType), obj.logicalName, attr, sel, par)
            out += bytes((1, dar)) if dar else b"\x00" + val
        full = b"\x0c" + length(n) + out
        if len(full) + self.overhead() <= self.pdu:
            return full
        return self.sn_block(memoryview(length(n) + out), 1)

    def sn_method(self, obj, method, value, raw):
        if int(obj.objectType) == 12:
            return self.reply_to_hls(value if value is not None else decode(self.settings, raw))
        return self.model.action(self, int(obj.objectType), obj.logicalName, method, raw)

    def sn_block(self, rest, number):
        size = self.pdu - 12 - self.overhead()
        part, rest = rest[:size], rest[size:]
        last = 0 if len(rest) else 1
        self.get_rest = None if last else (rest, number)
        return (b"\x0c\x01\x02" + bytes((last,)) + struct.pack(">H", number)
                + length(len(part)) + bytes(part))

    def sn_write(self, a):
        n, pos = take_length(a, 1)
        targets = []
        for _ in range(n):
            kind, sn = a[pos], struct.unpack(">H", a[pos + 1:pos + 3])[0]
            pos += 3
            if kind == 4:
                pos = skip_data(a, pos + 1)
            targets.append(sn)
        n, pos = take_length(a, pos)
        out = b""
        for sn in targets[:n]:
            end = skip_data(a, pos)
            obj, attr, method = self.sn_target(sn)
            if obj is None:
                dar = DAR_UNDEF
            elif method:
                dar, _ = self.sn_method(obj, method, None, a[pos:end])
            else:
                dar = self.model.set(self, int(obj.objectType), obj.logicalName, attr, a[pos:end])
            out += b"\x00" if dar == 0 else bytes((1, dar))
            pos = end
        return b"\x0d" + length(n) + out

    # -- general block transfer -----------------------------------------
    def gbt_start(self, apdu):
        size = self.pdu - 12
        blocks = [apdu[i:i + size] for i in range(0, len(apdu), size)]
        self.gbt_out = blocks
        return self.gbt_window(1, 1, 0)

    def gbt_window(self, first, window, ack):
        """Blocks are numbered from 1; send up to `window` starting at `first`."""
        blocks = self.gbt_out
        out = []
        last_no = min(first + max(window, 1) - 1, len(blocks))
        for no in range(first, last_no + 1):
            final = no == len(blocks)
            streaming = no != last_no
            ctrl = (0x80 if final else 0) | (0x40 if streaming else 0) | (self.opt.gbt or 1)
            body = blocks[no - 1]
            out.append(b"\xe0" + bytes((ctrl,)) + struct.pack(">HH", no, ack)
                       + length(len(body)) + body)
        return out

    def gbt(self, a):
        ctrl, number, ack = a[1], *struct.unpack(">HH", a[2:6])
        n, pos = take_length(a, 6)
        body = a[pos:pos + n]
        window = ctrl & 0x3F
        if self.gbt_out is not None and not body:
            if ack >= len(self.gbt_out):
                self.gbt_out = None
                return []
            return self.gbt_window(ack + 1, window, number)
        self.gbt_in += body
        if ctrl & 0x80:
            whole, self.gbt_in = self.gbt_in, b""
            return self.handle(whole)
        if ctrl & 0x40:
            return []
        return [b"\xe0" + bytes((0x80 | (self.opt.gbt or 1),)) + struct.pack(">HH", 1, number)
                + b"\x00"]

    # -- push ------------------------------------------------------------
    def notification(self):
        vals = [self.model.get(self, 1, "0.0.42.0.0.255", 2)[1],
                octets(cosem_time(dt.datetime.now())),
                self.model.get(self, 3, "1.0.1.8.0.255", 2)[1]]
        if self.opt.push_service == "event":
            t = cosem_time(dt.datetime.now())
            return (b"\xc2\x01" + bytes((len(t),)) + t + struct.pack(">H", 3)
                    + ln_bytes("1.0.1.8.0.255") + b"\x02" + vals[2])
        apdu = b"\x0f\x40\x00\x00\x01\x00" + struct_(*vals)
        if self.opt.push_security != "none":
            c = self.settings.cipher
            p = AesGcmParameter(0xDB, c.systemTitle, c.blockCipherKey, c.authenticationKey)
            p.security = Security(SECURITY[self.opt.push_security])
            p.securitySuite = c.securitySuite
            p.invocationCounter = self.next_ic()
            apdu = bytes(GXCiphering.encrypt(p, bytearray(apdu)))
        return apdu

    def push(self):
        apdu = self.notification()
        if not self.opt.push_to:
            self.unsolicited(apdu)
            return
        host, port = self.opt.push_to.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=5) as k:
            k.sendall(wrap(1, self.opt.client_sap, apdu))


class InvocationCounter(Exception):
    pass


# --------------------------------------------------------------------------- framing
def wrap(src, dst, apdu):
    return struct.pack(">HHHH", 1, src, dst, len(apdu)) + apdu


class WrapperLink:
    def __init__(self, sock, model, opt):
        self.sock, self.opt = sock, opt
        self.peer = (1, opt.client_sap)
        self.sess = Session(model, opt, self.unsolicited)

    def unsolicited(self, apdu):
        self.sock.sendall(wrap(self.peer[0], self.peer[1], apdu))

    def run(self):
        buf = b""
        while True:
            data = self.sock.recv(65536)
            if not data:
                return
            buf += data
            while len(buf) >= 8:
                ver, src, dst, n = struct.unpack(">HHHH", buf[:8])
                if ver != 1:
                    log("bad wrapper version", ver)
                    return
                if len(buf) < 8 + n:
                    break
                apdu, buf = buf[8:8 + n], buf[8 + n:]
                if not apdu:
                    continue
                self.peer = (dst, src)
                out = b"".join(wrap(dst, src, r) for r in self.sess.handle(apdu))
                if out:
                    self.sock.sendall(out)


class HdlcLink:
    """Server side of the HDLC based link layer, normal response mode."""

    def __init__(self, sock, model, opt):
        self.sock, self.opt = sock, opt
        self.sess = Session(model, opt, self.unsolicited)
        self.connected = False
        self.ns = self.nr = 0
        self.info_tx, self.win_tx = 128, 1
        self.src = self.dst = b""
        self.rx_info = b""
        self.queue = []
        self.unacked = []

    def unsolicited(self, apdu):
        self.sock.sendall(self.frame(0x13, b"\xe6\xe7\x00" + apdu))

    @staticmethod
    def fcs(data):
        bb = GXByteBuffer(bytearray(data))
        return struct.pack(">H", _GXFCS16.countFCS16(bb, 0, len(data)))

    def frame(self, ctrl, info=b"", segment=False):
        head_len = 2 + len(self.src) + len(self.dst) + 1 + 2
        total = head_len + (len(info) + 2 if info else 0)
        fmt = 0xA000 | (0x0800 if segment else 0) | total
        head = struct.pack(">H", fmt) + self.src + self.dst + bytes((ctrl,))
        out = head + self.fcs(head)
        if info:
            out += info + self.fcs(out + info)
        return b"\x7e" + out + b"\x7e"

    def run(self):
        buf = b""
        while True:
            data = self.sock.recv(65536)
            if not data:
                return
            buf += data
            while True:
                start = buf.find(b"\x7e")
                if start < 0:
                    buf = b""
                    break
                buf = buf[start:]
                if len(buf) < 3:
                    break
                if buf[1] == 0x7E:
                    buf = buf[1:]
                    continue
                total = struct.unpack(">H", buf[1:3])[0] & 0x7FF
                if len(buf) < total + 2:
                    break
                raw, buf = buf[1:1 + total], buf[1 + total:]
                self.on_frame(raw)

    @staticmethod
    def address(raw, pos):
        end = pos
        while not raw[end] & 1:
            end += 1
        return raw[pos:end + 1], end + 1

    def on_frame(self, raw):
        if self.fcs(raw[:-2]) != raw[-2:]:
            log("bad FCS")
            return
        seg = bool(raw[0] & 0x08)
        dst, pos = self.address(raw, 2)
        src, pos = self.address(raw, pos)
        self.dst, self.src = dst, src          # our answers go back to src
        ctrl = raw[pos]
        info = raw[pos + 3:-2] if len(raw) > pos + 3 else b""
        if ctrl & 0xEF == 0x83:
            self.snrm(info)
        elif ctrl & 0xEF == 0x43:
            was, self.connected = self.connected, False
            self.sess.reset()
            self.sock.sendall(self.frame(0x73 if was else 0x1F))
        elif not self.connected:
            self.sock.sendall(self.frame(0x1F))
        elif ctrl & 1 == 0:
            self.i_frame(ctrl, info, seg)
        elif ctrl & 0x0F == 0x01:
            self.ack(ctrl >> 5)
            self.pump()
        elif ctrl & 0xEF == 0x03:
            for _ in self.sess.handle(info[3:]):
                pass
        else:
            self.sock.sendall(self.frame(0x97))

    def snrm(self, info):
        want = {5: 128, 6: 128, 7: 1, 8: 1}
        if len(info) > 3:
            pos = 3
            while pos < len(info):
                pid, n = info[pos], info[pos + 1]
                want[pid] = int.from_bytes(info[pos + 2:pos + 2 + n], "big")
                pos += 2 + n
        self.info_tx = min(want[6], self.opt.max_info)
        self.win_tx = min(want[8], self.opt.window)
        info_rx, win_rx = min(want[5], self.opt.max_info), min(want[7], self.opt.window)
        self.connected = True
        self.ns = self.nr = 0
        self.rx_info, self.queue, self.unacked = b"", [], []
        self.sess.reset()

        def par(pid, v, n):
            return bytes((pid, n)) + v.to_bytes(n, "big")
        two = lambda v: 1 if v < 256 else 2
        body = (par(5, self.info_tx, two(self.info_tx)) + par(6, info_rx, two(info_rx))
                + par(7, self.win_tx, 4) + par(8, win_rx, 4))
        self.sock.sendall(self.frame(0x73, b"\x81\x80" + bytes((len(body),)) + body))

    def ack(self, nr):
        while self.unacked and self.unacked[0][0] != nr:
            self.unacked.pop(0)
        if self.unacked and self.unacked[0][0] == nr:
            # the peer asks again for an unacknowledged frame
            self.queue[:0] = [(seg, info) for _, seg, info in self.unacked]
            self.ns = nr
            self.unacked = []

    def i_frame(self, ctrl, info, seg):
        ns = (ctrl >> 1) & 7
        if ns != self.nr:
            self.sock.sendall(self.frame(0x11 | self.nr << 5))
            return
        self.nr = (self.nr + 1) & 7
        self.ack(ctrl >> 5)
        self.rx_info += info
        if seg:
            if ctrl & 0x10:
                self.sock.sendall(self.frame(0x11 | self.nr << 5))
            return
        whole, self.rx_info = self.rx_info, b""
        if whole[:3] not in (b"\xe6\xe6\x00", b"\xe6\xe7\x00"):
            log("bad LLC header", whole[:3].hex())
            return
        for rsp in self.sess.handle(whole[3:]):
            rsp = b"\xe6\xe7\x00" + rsp
            parts = [rsp[i:i + self.info_tx] for i in range(0, len(rsp), self.info_tx)]
            self.queue += [(i < len(parts) - 1, p) for i, p in enumerate(parts)]
        if not self.queue:
            self.sock.sendall(self.frame(0x11 | self.nr << 5))
            return
        self.pump()

    def pump(self):
        if not self.queue:
            self.sock.sendall(self.frame(0x11 | self.nr << 5))
            return
        burst = []
        while self.queue and len(self.unacked) + len(burst) < self.win_tx:
            burst.append(self.queue.pop(0))
            if not burst[-1][0]:
                break
        out = b""
        for i, (seg, info) in enumerate(burst):
            final = i == len(burst) - 1
            out += self.frame((self.nr << 5) | (0x10 if final else 0) | (self.ns << 1), info, seg)
            self.unacked.append((self.ns, seg, info))
            self.ns = (self.ns + 1) & 7
        self.sock.sendall(out)


# --------------------------------------------------------------------------- main
def serve(sock, opt, model):
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        (WrapperLink if opt.framing == "wrapper" else HdlcLink)(sock, model, opt).run()
    except (ConnectionError, OSError) as ex:
        log("connection ended:", ex)
    finally:
        sock.close()


def test_key(seed, size):
    return hashlib.shake_256(seed.encode()).digest(size).hex().rjust(2 * size + 2, "0")


def public_of(priv, suite):
    from cryptography.hazmat.primitives.asymmetric import ec
    curve = ec.SECP384R1() if suite == 2 else ec.SECP256R1()
    n = 48 if suite == 2 else 32
    num = ec.derive_private_key(int(priv, 16), curve).public_key().public_numbers()
    return (num.x.to_bytes(n, "big") + num.y.to_bytes(n, "big")).hex()


def parse_args(argv):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a = p.add_argument
    a("--host", default="127.0.0.1")
    a("--port", type=int, default=4061)
    a("--framing", choices=("wrapper", "hdlc"), default="wrapper")
    a("--ref", choices=("ln", "sn"), default="ln")
    a("--auth", choices=("any",) + tuple(AUTHS), default="any",
      help="the only mechanism accepted besides none (see --no-public)")
    a("--no-public", dest="public", action="store_false")
    a("--password", default="Gurux")
    a("--public-sap", type=int, default=16)
    a("--client-sap", type=int, default=1)
    a("--security-policy", choices=SECURITY, default="none",
      help="anything but none refuses unciphered requests")
    a("--suite", type=int, choices=(0, 1, 2), default=0)
    a("--system-title", default="4755525830303031")
    a("--peer-system-title", default="4755525800000001",
      help="title of the client of a pre-established association")
    a("--ek", help="global unicast encryption key, hex")
    a("--ak", help="authentication key, hex")
    a("--kek", help="master key, hex")
    a("--check-ic", action="store_true", help="refuse replayed invocation counters")
    a("--signing-key", help="raw private key, hex")
    a("--peer-public-key", dest="peer_signing_key", help="client's public point x||y, hex")
    a("--agreement-key", help="raw private key for agreed keys, hex")
    a("--peer-agreement-key", help="client's public point for agreed keys, hex")
    a("--challenge", type=int, default=16, help="length of the StoC challenge")
    a("--pre-established", action="store_true")
    a("--max-pdu", type=int, default=1024)
    a("--max-info", type=int, default=128)
    a("--window", type=int, default=1)
    a("--gbt", type=int, default=0, help="accept general block transfer, window N")
    a("--profile-rows", type=int, default=2000)
    a("--profile-columns", type=int, default=8)
    a("--profile-period", type=int, default=900)
    a("--skip-types", default="",
      help="Data objects to leave out, e.g. string_utf8,int64 (the Gurux C client stops or "
           "crashes there)")
    a("--image-block", type=int, default=200)
    a("--real-clock", action="store_true")
    a("--push-to", help="host:port for push (default: same connection)")
    a("--push-service", choices=("data", "event"), default="data")
    a("--push-security", choices=SECURITY, default="none")
    a("--once", type=int, default=0, help="exit after N connections")
    a("--print-keys", action="store_true",
      help="print the client's private and the server's public test keys as JSON and exit")
    a("--verbose", action="store_true")
    opt = p.parse_args(argv)
    size = 32 if opt.suite == 2 else 16
    opt.ek = opt.ek or bytes(range(size)).hex()
    opt.ak = opt.ak or bytes(0xD0 + (i % 0x30) for i in range(size)).hex()
    opt.kek = opt.kek or "31" * size
    n = 48 if opt.suite == 2 else 32
    opt.signing_key = opt.signing_key or test_key("peer-server", n - 1)
    opt.peer_signing_key = opt.peer_signing_key or public_of(test_key("peer-client", n - 1), opt.suite)
    opt.agreement_key = opt.agreement_key or test_key("peer-server-agreement", n - 1)
    opt.peer_agreement_key = opt.peer_agreement_key or public_of(
        test_key("peer-client-agreement", n - 1), opt.suite)
    conf = int(GXDLMSSettings.getInitialConformance(opt.ref == "ln"))
    if opt.gbt:
        conf |= int(Conformance.GENERAL_BLOCK_TRANSFER)
    opt.conformance = Conformance(conf)
    return opt


def main(argv=None):
    global LOG
    opt = parse_args(argv)
    LOG = opt.verbose
    if opt.print_keys:
        n = 48 if opt.suite == 2 else 32
        print(json.dumps({
            "ek": opt.ek, "ak": opt.ak, "kek": opt.kek,
            "signing-key": test_key("peer-client", n - 1),
            "peer-public-key": public_of(opt.signing_key, opt.suite),
            "agreement-key": test_key("peer-client-agreement", n - 1),
            "peer-agreement-key": public_of(opt.agreement_key, opt.suite)}))
        return 0
    verify_tags()
    model = Model(opt)
    if not opt.verbose:
        sys.stdout.flush()
    ls = socket.socket()
    ls.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        ls.bind((opt.host, opt.port))
    except OSError as ex:
        print("cannot bind:", ex, file=sys.stderr)
        return 3
    ls.listen(8)
    print("LISTENING", ls.getsockname()[1], flush=True)
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda *_: os._exit(0))
    sys.stdout = open(os.devnull, "w")      # only our own lines go to standard output
    served = 0
    workers = []
    while not opt.once or served < opt.once:
        sock, _ = ls.accept()
        served += 1
        w = threading.Thread(target=serve, args=(sock, opt, model), daemon=True)
        w.start()
        workers.append(w)
    for w in workers:
        w.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
