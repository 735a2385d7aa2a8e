"""Runs the tests whose names have all the words that are given, as root in namespaces of its own.

`unshare --net --mount python -m functional [WORD…]`, with the folder of `sgd` in `SG_BIN_DIR`.
"""

import sys
import unittest

from functional.isolated import isolated

with isolated():
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
