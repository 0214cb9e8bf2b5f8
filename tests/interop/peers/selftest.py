#!/usr/bin/env python3
"""Runs gurux_server.py against gurux_client.py over loopback for every combination.

Prints a Markdown table (one row per framing/referencing/mechanism, one cell per suite and
security level) and writes the details as JSON.  Exit code 0 always, except 2 for usage.
"""
import argparse
import itertools
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
AUTHS = ("none", "lls", "hls", "md5", "sha1", "gmac", "sha256", "ecdsa")
LEVELS = ("none", "auth", "enc", "authenc")


def start_server(args):
    p = subprocess.Popen([sys.executable, os.path.join(HERE, "gurux_server.py"), "--port", "0",
                          *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = p.stdout.readline()
    if not line.startswith("LISTENING"):
        raise RuntimeError("server did not start: " + p.stderr.read())
    return p, line.split()[1]


def one(framing, ref, auth, level, suite, opt):
    common = ["--framing", framing, "--ref", ref, "--suite", str(suite)]
    srv, port = start_server(common + ["--profile-rows", "200",
                                 "--max-pdu", opt.max_pdu]
                             + (["--gbt", "3"] if opt.gbt else []))
    try:
        run = subprocess.run(
            [sys.executable, os.path.join(HERE, "gurux_client.py"), "--port", port, *common,
             "--auth", auth, "--security", level, "--client", "1", "--timeout", "5",
             "--ops", opt.ops, "--expect-rows", "10"] + (["--gbt", "3"] if opt.gbt else [])
            + (["--general-protection"] if opt.general else [])
            + (["--fix-ecdsa"] if opt.fix_ecdsa else [])
            + (["--fix-gbt"] if opt.gbt else []),
            capture_output=True, text=True, timeout=300)
        try:
            res = json.loads(run.stdout)
        except ValueError:
            res = {"crash": run.stderr[-600:]}
        res["exit"] = run.returncode
    finally:
        srv.terminate()
        res_err = srv.communicate()[1]
    if res_err:
        res["server_stderr"] = res_err[-600:]
    return res


def cell(res):
    if res["exit"] == 0:
        return "ok"
    assoc = res.get("association", {})
    if not assoc.get("ok"):
        return "A:" + assoc.get("error", res.get("crash", "?")).replace("|", "/")[:60]
    bad = [k for k, v in res["ops"].items() if not v["ok"]]
    return "op:" + ",".join(bad)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--framings", default="wrapper,hdlc")
    p.add_argument("--refs", default="ln")
    p.add_argument("--suites", default="0,1,2")
    p.add_argument("--auths", default=",".join(AUTHS))
    p.add_argument("--levels", default=",".join(LEVELS))
    p.add_argument("--gbt", action="store_true")
    p.add_argument("--general", action="store_true")
    p.add_argument("--fix-ecdsa", action="store_true")
    p.add_argument("--ops", default="objects,read-all,set,action,profile-entry,profile-range,"
                                    "image,list,access")
    p.add_argument("--max-pdu", default="1024")
    p.add_argument("--json")
    opt = p.parse_args()
    suites = [int(s) for s in opt.suites.split(",")]
    levels = opt.levels.split(",")
    details = {}
    print("| framing/ref/mechanism | " + " | ".join(
        f"s{s} {lv}" for s, lv in itertools.product(suites, levels)) + " |")
    print("|---" * (1 + len(suites) * len(levels)) + "|")
    for framing, ref, auth in itertools.product(opt.framings.split(","), opt.refs.split(","),
                                                opt.auths.split(",")):
        cells = []
        for suite, level in itertools.product(suites, levels):
            res = one(framing, ref, auth, level, suite, opt)
            details[f"{framing}/{ref}/{auth}/{level}/suite{suite}"] = res
            cells.append(cell(res))
        print(f"| {framing} {ref} {auth} | " + " | ".join(cells) + " |", flush=True)
    if opt.json:
        with open(opt.json, "w", encoding="utf-8") as f:
            json.dump(details, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
