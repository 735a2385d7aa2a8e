"""Runs the tests whose names have all the words that are given, as root in namespaces of its own.

`unshare --net --mount python -m functional [WORD…]`, with the folder of `sgd` in `SG_BIN_DIR`.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

# In the place of sudo, whose child Neutron looks for.
HELPER = """#!/bin/sh
"$@"
status=$?
exit $status
"""

with tempfile.TemporaryDirectory() as folder:
    helper = pathlib.Path(folder, "helper")
    helper.write_text(HELPER)
    helper.chmod(0o755)
    # Neutron reads these when its tests are loaded.
    os.environ |= {"OS_SUDO_TESTING": "1", "OS_ROOTWRAP_CMD": str(helper), "OS_LOG_PATH": folder}
    # It starts its helpers by name.
    os.environ["PATH"] = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    pathlib.Path("/run/netns").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "netns", "/run/netns"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    from functional import agent, firewall, network_log

    load = unittest.defaultTestLoader.loadTestsFromTestCase
    cases = (agent.AnyInterleaving, firewall.IPv4, firewall.IPv6, network_log.NetworkLog)
    every = [test for case in cases for test in load(case)]
    chosen = [test for test in every if all(word in test.id() for word in sys.argv[1:])]
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(chosen))

failed = {test.id() for test, _error in result.errors + result.failures}
expected = {
    name: why for name, why in firewall.DEVIATIONS.items() if any(name == test.id() for test in chosen)
}
for name in sorted(failed & expected.keys()):
    print(f"as docs/parity.md says: {name}: {expected[name]}")
for name in sorted(failed - expected.keys()):
    print(f"FAILED: {name}")
for name in sorted(expected.keys() - failed):
    print(f"passes, and is listed as a deviation: {name}")
sys.exit(not chosen or failed != expected.keys())
