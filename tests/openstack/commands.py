"""The commands that people type: the unmodified `openstack` client, one process a command.

A topic is a text file: one command a line, without its first word, and the name that its id is saved
under:

    web = security group create web
    security group rule create $web --protocol tcp --dst-port 22

The client's modules are loaded once and each command runs in a fork of that: a start of Python and a
search for plugins for every line would take longer than all the answers.
"""
import contextlib
import importlib
import logging
import os
import pkgutil
import re
import shlex
import sys
import tempfile
import traceback

LINE = re.compile(r'^(?:([a-z]\w*) = )?(.*)$')
# How an id is shown: in a table, in JSON, alone.
SAVED = (re.compile(r'^\| id +\| ([0-9a-f-]{36}) ', re.MULTILINE), re.compile(r'^ *"id": "([0-9a-f-]{36})"', re.MULTILINE),
         re.compile(r'^([0-9a-f-]{36})$', re.MULTILINE))
SECONDS = 60


def run(url, text, names):
    """Runs the commands of a topic in order, and gives what was typed and shown, normalised."""
    return [_answered(url, line, names) for line in text.splitlines() if line.strip() and not line.startswith('#')]


def _answered(url, line, names):
    name, command = LINE.match(line).groups()
    names.write(command)
    code, out, err = openstack(shlex.split(names.fill(command)), url)
    if name:
        found = next((found for found in (pattern.search(out) for pattern in SAVED) if found), None)
        if found:
            names.save(name, found[1])
    # Rows without a sort, and values one a line, come in any order.
    ordered = '--sort' in command
    lines_ordered = ordered or not re.search(r'-f (value|csv)| list( |$)', command)
    return {'command': line, 'code': code, 'out': names.output(out, ordered, lines_ordered),
            'err': names.output(err, True, True)}


def openstack(arguments, url):
    """One command of the client: its exit code, what it prints, what it says on stderr."""
    _load()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            _become(arguments, url, out, err)
        _, status = os.waitpid(child, 0)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return os.waitstatus_to_exitcode(status), *texts


def _become(arguments, url, out, err):
    """The child: the client, and nothing of this program any more."""
    code = 99
    try:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        for variable in [name for name in os.environ if name.startswith('OS_')]:
            del os.environ[variable]
        os.environ.update(OS_AUTH_TYPE='none', OS_ENDPOINT=url, COLUMNS='500', PYTHONWARNINGS='ignore')
        sys.argv = ['openstack', *arguments]
        sys.stdin = open(os.devnull, encoding='utf-8')
        from openstackclient import shell
        code = shell.main(arguments)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)


def _load():
    """What every command needs is loaded once, before the first fork."""
    if 'openstackclient.shell' in sys.modules:
        return
    import warnings
    warnings.simplefilter('ignore')
    # The client takes its name from here when it is loaded.
    sys.argv = ['openstack']
    from openstackclient import shell
    import openstack.network.v2._proxy  # noqa: F401 - to have them loaded, as below
    import neutronclient.osc.v2.logging.network_log  # noqa: F401
    import neutronclient.v2_0.client  # noqa: F401
    for module in pkgutil.iter_modules(importlib.import_module('openstackclient.network.v2').__path__):
        if not module.ispkg:
            importlib.import_module('openstackclient.network.v2.' + module.name)
    # A command that asks nobody has the client look for its plugins, which it remembers.
    with open(os.devnull, 'w', encoding='utf-8') as nowhere, contextlib.redirect_stdout(nowhere):
        with contextlib.suppress(SystemExit):
            shell.main(['security', 'group', 'list', '--help'])
    logging.getLogger().handlers.clear()


def title(entry):
    return 'openstack ' + entry['command']


def shown(entry):
    """What a command said as lines to compare."""
    return ['exit %d' % entry['code'], *entry['out'], *('stderr: ' + line for line in entry['err'])]
