"""Raw HTTP requests: what no client would send.

A topic is a text file: one request a paragraph or a line,

    web = POST /v2.0/security-groups {"security_group": {"name": "web"}}
    PUT /v2.0/security-groups/$web
      If-Match: revision_number=9
      {"security_group": {"description": "x"}}

with the names under which the ids of the answer are saved, and indented lines of headers and body.
"""
import http.client
import json
import re
from urllib import parse

REQUEST = re.compile(r'^(?:([a-z][\w, ]*?) = )?([A-Z]+) (\S+)(?: (.*))?$')
HEADER = re.compile(r'^([A-Z][A-Za-z-]+): (.*)$')
# The headers of an answer that are looked at.
HEADERS = ('Content-Type', 'Allow', 'Location', 'WWW-Authenticate')


def requests(text):
    """The requests of a topic."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith('#'):
            continue
        if line.startswith('  '):
            header = HEADER.match(line.strip())
            if header:
                found[-1]['headers'][header[1]] = header[2]
            else:
                found[-1]['body'] = (found[-1]['body'] or '') + line.strip()
            continue
        parts = REQUEST.match(line)
        if not parts:
            raise ValueError('line %d is no request: %s' % (number, line))
        save = [name.strip() for name in (parts[1] or '').split(',') if name.strip()]
        found.append({'save': save, 'method': parts[2], 'path': parts[3], 'headers': {}, 'body': parts[4]})
    return found


def run(url, text, names):
    """Sends the requests of a topic in order, and gives what was asked and answered, normalised."""
    return [answered(url, request, names) for request in requests(text)]


def answered(url, request, names):
    path = names.fill(request['path'])
    body = None if request['body'] is None else names.fill(request['body'])
    names.write(request['path'] + ' ' + (request['body'] or ''))
    headers = {'Accept': 'application/json', **request['headers']}
    if body is not None:
        headers.setdefault('Content-Type', 'application/json')
    connection = http.client.HTTPConnection(parse.urlsplit(url).netloc, timeout=60)
    try:
        connection.request(request['method'], path, body and body.encode(), headers)
        answer = connection.getresponse()
        raw = answer.read().decode()
    finally:
        connection.close()
    value = loaded(raw)
    for name, found in zip(request['save'], objects(value)):
        names.save(name, found['id'])
    shown = {name: names.text(answer.getheader(name)) for name in HEADERS if answer.getheader(name)}
    return {'request': {key: value for key, value in request.items() if value},
            'status': answer.status, 'headers': shown,
            'body': names.json(value, '', 'sort_key' in path)}


def loaded(raw):
    try:
        return json.loads(raw)
    except ValueError:
        return raw or None


def objects(value):
    """The objects of an answer: the one of `{"port": {}}`, the many of `{"ports": []}`."""
    if not isinstance(value, dict) or 'NeutronError' in value:
        return []
    found = next(iter(value.values()), [])
    return found if isinstance(found, list) else [found]


def title(entry):
    request = entry['request']
    return ' '.join(filter(None, (request['method'], request['path'], request.get('body'))))


def shown(entry):
    """An answer as lines to compare."""
    head = ['%d' % entry['status']] + ['%s: %s' % header for header in sorted(entry['headers'].items())]
    return head + json.dumps(entry['body'], indent=1, ensure_ascii=False).splitlines()
