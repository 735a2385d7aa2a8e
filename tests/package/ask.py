"""Asks an API over HTTP, as its clients do.

    ask.py METHOD URL [BODY]     a line of JSON: the status and the answer; `null` if nobody answers in time

The certificate of the server is not looked at: it is one that the test has made.
"""

import base64
import json
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

PATIENCE = 3


def main():
    method, url, *body = sys.argv[1:]
    parts = urllib.parse.urlsplit(url)
    user, _, server = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=server).geturl(), method=method)
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    for text in body:
        request.add_header("Content-Type", "application/json")
        request.data = text.encode()
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE, context=ssl._create_unverified_context()) as answer:
            said = [answer.status, answer.read()]
    except urllib.error.HTTPError as error:
        said = [error.code, error.read()]
    except OSError:
        print("null")
        return
    print(json.dumps([said[0], json.loads(said[1] or b"null")]))


if __name__ == "__main__":
    main()
