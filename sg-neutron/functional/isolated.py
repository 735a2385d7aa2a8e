"""A place of its own, in the namespaces of the process."""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile

# In the place of sudo, whose child Neutron looks for.
_HELPER = """#!/bin/sh
"$@"
status=$?
exit $status
"""


@contextlib.contextmanager
def isolated():
    """Has Neutron run its helpers as they are, and make its network namespaces where nobody sees them.

    To be entered before anything of Neutron's tests is imported, by a process that has network and mount
    namespaces of its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        helper = pathlib.Path(folder, "helper")
        helper.write_text(_HELPER)
        helper.chmod(0o755)
        # Neutron reads these when its tests are loaded.
        os.environ |= {"OS_SUDO_TESTING": "1", "OS_ROOTWRAP_CMD": str(helper), "OS_LOG_PATH": folder}
        # It starts its helpers by name.
        os.environ["PATH"] = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        pathlib.Path("/run/netns").mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "netns", "/run/netns"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
