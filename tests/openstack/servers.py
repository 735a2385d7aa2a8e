"""The servers that are compared: each can be brought back to empty, and says where it answers."""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
URL = re.compile(r'http://[0-9.]+:\d+')


class Neutron:
    """A real Neutron, kept running; its database is what is brought back."""

    name = 'Neutron'

    def __init__(self):
        environment = dict(os.environ, PYTHONHASHSEED='0', PYTHONWARNINGS='ignore')
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, 'real_neutron.py')], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        self.url = self.process.stdout.readline().strip()
        if not URL.fullmatch(self.url):
            raise RuntimeError('Neutron does not start:\n' + self.process.stderr.read())

    def empty(self):
        print('reset', file=self.process.stdin, flush=True)
        if self.process.stdout.readline().strip() != 'done':
            raise RuntimeError('Neutron has gone:\n' + self.process.stderr.read())
        return self.url

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Sgapi:
    """Our server, started anew over an empty store."""

    name = 'sgapi'

    def __init__(self, program):
        self.program, self.process, self.folder = program, None, None

    def empty(self):
        self.stop()
        self.folder = tempfile.mkdtemp(prefix='sgapi-store-')
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [self.program, 'run', '--store', self.folder, '--listen', '127.0.0.1:%d' % port,
             # A client that does not wait between its calls is faster than what one may ask by default.
             '--rate', '10000'],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(('127.0.0.1', port)).close()
                return 'http://127.0.0.1:%d' % port
            except OSError:
                time.sleep(0.02)
        raise RuntimeError('%s does not answer on port %d' % (self.program, port))

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=10)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.process = None


class Running:
    """A server that somebody else has started, empty: good for one topic."""

    def __init__(self, url):
        self.name = self.url = url

    def empty(self):
        return self.url

    def stop(self):
        pass
