#!/usr/bin/env python3
"""DLMS/COSEM listener for interoperability tests: takes DataNotifications through `gurux-dlms`.

Prints "LISTENING <port>" when ready, then one JSON document for each notification; ends after --count of them.
Exit codes: 0 all were understood, 1 one was not.
"""
import argparse
import contextlib
import io
import json
import socket
import sys

from gurux_dlms import GXByteBuffer, GXReplyData
from gurux_dlms.enums import Authentication, Command, InterfaceType, Security
from gurux_dlms.objects.enums import SecuritySuite
from gurux_dlms.secure import GXDLMSSecureClient

from general_protection import verify_tags
from gurux_client import jsonable


def parse_args(argv):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a = p.add_argument
    a("--port", type=int, default=0)
    a("--framing", choices=("wrapper", "hdlc"), default="wrapper")
    a("--client", type=int, default=16)
    a("--server", type=int, default=1)
    a("--suite", type=int, choices=(0, 1, 2), default=0)
    a("--ek", required=True)
    a("--ak", required=True)
    a("--server-title", required=True, help="of the sender")
    a("--count", type=int, default=1)
    return p.parse_args(argv)


def take(opt, sock):
    framing = InterfaceType.WRAPPER if opt.framing == "wrapper" else InterfaceType.HDLC
    client = GXDLMSSecureClient(True, opt.client, opt.server, Authentication.NONE, None, framing)
    cipher = client.ciphering
    cipher.security = Security.AUTHENTICATION_ENCRYPTION
    cipher.securitySuite = SecuritySuite(opt.suite)
    cipher.systemTitle = bytearray(8)
    cipher.blockCipherKey = bytearray.fromhex(opt.ek)
    cipher.authenticationKey = bytearray.fromhex(opt.ak)
    client.settings.sourceSystemTitle = bytearray.fromhex(opt.server_title)
    received, reply, notification = GXByteBuffer(), GXReplyData(), GXReplyData()
    while True:
        octets = sock.recv(65536)
        if not octets:
            raise ConnectionError("the connection ended")
        received.set(octets)
        client.getData(received, reply, notification)
        if notification.complete and not notification.isMoreData():
            return {
                "command": Command(notification.command).name,
                "sender": bytes(client.settings.sourceSystemTitle).hex(),
                "time": jsonable(notification.time),
                "value": jsonable(notification.value),
            }


def main(argv=None):
    opt = parse_args(argv)
    verify_tags()
    listener = socket.create_server(("127.0.0.1", opt.port))
    print("LISTENING", listener.getsockname()[1], flush=True)
    code = 0
    for _ in range(opt.count):
        sock, _ = listener.accept()
        sock.settimeout(10)
        try:
            with sock, contextlib.redirect_stdout(io.StringIO()):
                taken = take(opt, sock)
        except Exception as ex:
            taken, code = {"error": f"{type(ex).__name__}: {ex}"}, 1
        print(json.dumps(taken), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
