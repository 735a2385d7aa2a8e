"""A server in between that changes one word of one answer: what a comparison has to find."""
import http.client
import re
import threading
from http import server
from urllib import parse

# What may be changed in what was made, the first that an answer has: there everybody looks.
WORDS = ((rb'"name": ?"([a-z])', rb'"name": "Z\1'), (rb'"direction": ?"(in|e)gress"', rb'"direction": "\1gres"'),
         (rb'"revision_number": ?(\d)', rb'"revision_number": 9\1'))


class Changing:
    """Stands before a server, and changes one word between two returns to empty."""

    name = 'a changed Neutron'

    def __init__(self, behind):
        self.behind, self.done, self.serving, self.target = behind, False, None, None

    def __enter__(self):
        self.serving = server.ThreadingHTTPServer(('127.0.0.1', 0), _handler(self))
        threading.Thread(target=self.serving.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.serving.shutdown()
        self.serving.server_close()

    def empty(self):
        self.target, self.done = parse.urlsplit(self.behind.empty()).netloc, False
        return 'http://127.0.0.1:%d' % self.serving.server_port

    def change(self, body):
        """The answer, with one word changed if none was yet."""
        for word, other in () if self.done else WORDS:
            changed = re.sub(word, other, body, count=1)
            if changed != body:
                self.done = True
                return changed
        return body


def _handler(changing):
    class Handler(server.BaseHTTPRequestHandler):
        """Passes a request on, and its answer back."""

        def pass_on(self):
            length = int(self.headers.get('Content-Length') or 0)
            onward = http.client.HTTPConnection(changing.target, timeout=60)
            # The host stays this one, so that the addresses in answers lead here again.
            onward.request(self.command, self.path, self.rfile.read(length) if length else None, dict(self.headers))
            answer = onward.getresponse()
            body = answer.read()
            body = changing.change(body) if answer.status == 201 else body
            onward.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ('content-length', 'connection', 'date', 'server'):
                    self.send_header(name, value)
            if answer.status != 204:
                self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = pass_on

        def log_message(self, *_):
            pass

    return Handler
