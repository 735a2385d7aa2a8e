#!/usr/bin/env python3
"""Neutron's API beside another server's, driven by what people drive it with.

    compare.py [--left SERVER] [--right SERVER] [--only WORD ..] [--quick]
    compare.py --record [--only WORD ..]
    compare.py --self-test [--only WORD ..]

SERVER is `neutron` (a real one), `recorded` (what a real one has answered), a program (`PATH/sgapi`) or a
URL of an empty server (with --only and one topic). Each topic begins with an empty server on either side.
Exits with 1 when an answer differs that `expected.toml` does not explain, or that it explains and does not
differ.
"""
import argparse
import difflib
import json
import os
import sys
import time

import expected
import normal
import proxy
import servers
import topics

HERE = os.path.dirname(os.path.abspath(__file__))
NEUTRON = 'neutron 29.0.0'


class Recorded:
    """What Neutron has answered when `--record` was given."""

    name = 'recorded'

    def transcript(self, topic):
        with open(path_of(topic), encoding='utf-8') as file:
            return json.load(file)['entries']

    def stop(self):
        pass


class Live:
    """A server that answers now."""

    def __init__(self, server):
        self.server, self.name = server, server.name

    def transcript(self, topic):
        # What JSON does not keep, such as a tuple, is not to look different in a recording.
        entries = topic.run(self.server.empty(), normal.Names())
        return json.loads(json.dumps(entries))

    def stop(self):
        self.server.stop()


def path_of(topic):
    return os.path.join(HERE, 'recorded', topic.kind, topic.name + '.json')


def side(name):
    if name == 'recorded':
        return Recorded()
    if name == 'neutron':
        return Live(servers.Neutron())
    if servers.URL.fullmatch(name):
        return Live(servers.Running(name))
    return Live(servers.Sgapi(name))


def record(chosen):
    """Writes what Neutron answers."""
    neutron = side('neutron')
    try:
        for topic in chosen:
            entries = neutron.transcript(topic)
            os.makedirs(os.path.dirname(path_of(topic)), exist_ok=True)
            with open(path_of(topic), 'w', encoding='utf-8') as file:
                json.dump({'from': NEUTRON, 'entries': entries}, file, indent=1, ensure_ascii=False)
                file.write('\n')
            print('%-34s %4d recorded' % (topic.title, len(entries)), flush=True)
    finally:
        neutron.stop()


def differences(topic, left, right):
    """(title, lines of a difference) for each entry that is not the same on both sides."""
    found = []
    for one, other in zip(left, right):
        if topic.shown(one) != topic.shown(other):
            lines = difflib.unified_diff(topic.shown(one), topic.shown(other), lineterm='', n=2)
            found.append((topic.entry_title(one), list(lines)[2:]))
    if len(left) != len(right):
        found.append((topic.title, ['-%d entries' % len(left), '+%d entries' % len(right)]))
    return found


def compare(left, right, chosen, explained, quiet=False):
    """Runs every topic on both sides and prints what differs; gives the number of unexplained differences."""
    total = 0
    print('%-34s %8s %8s %8s %8s   %s beside %s' % (
        'topic', 'entries', 'same', 'explain.', 'DIFFER', right.name, left.name))
    for topic in chosen:
        begun = time.monotonic()
        one, other = left.transcript(topic), right.transcript(topic)
        found = differences(topic, one, other)
        bad = [(title, lines) for title, lines in found if not explained.explains(topic.title, title, lines)]
        total += len(bad)
        print('%-34s %8d %8d %8d %8d   %.0f s' % (
            topic.title, len(one), len(one) - len(found), len(found) - len(bad), len(bad),
            time.monotonic() - begun), flush=True)
        if not quiet:
            for title, lines in bad:
                print('\n  %s' % title)
                print('\n'.join('    ' + line for line in lines), flush=True)
    return total


def self_test(chosen):
    """Neutron answers as it is recorded, and one changed word in one answer of a topic is found."""
    recorded, neutron = Recorded(), side('neutron')
    changing = proxy.Changing(neutron.server)
    try:
        failed = compare(recorded, neutron, chosen, expected.Nothing())
        for topic in chosen:
            with changing:
                found = differences(topic, recorded.transcript(topic), Live(changing).transcript(topic))
            print('%-34s a changed word is %s' % (topic.title, 'found' if found else 'NOT FOUND'), flush=True)
            failed += not found
        return failed
    finally:
        neutron.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--left', default='neutron')
    parser.add_argument('--right', default='recorded')
    parser.add_argument('--only', nargs='*', default=[], metavar='WORD', help='topics whose title holds a word')
    parser.add_argument('--quick', action='store_true', help='raw requests alone')
    parser.add_argument('--record', action='store_true', help='write what Neutron answers')
    parser.add_argument('--self-test', action='store_true', help='whether this finds what it should, and no more')
    parser.add_argument('--quiet', action='store_true', help='the table alone')
    parser.add_argument('--ansible', help='folder of the environment that has Ansible: its play runs too')
    parser.add_argument('--rust', help='the program that drives the crate `openstack`: it runs too')
    options = parser.parse_args()
    chosen = topics.chosen(options.only, options.quick, options.ansible, options.rust)
    if not chosen:
        parser.error('no topic has such a title')
    if options.record:
        record(chosen)
        return 0
    if options.self_test:
        return 1 if self_test(chosen) else 0
    left, right = side(options.left), side(options.right)
    try:
        explained = expected.read(os.path.join(HERE, 'expected.toml'))
        differ = compare(left, right, chosen, explained, options.quiet)
        ours = not options.only and options.right not in ('neutron', 'recorded')
        stale = explained.unused([topic.title for topic in chosen]) if ours else []
        for reason in stale:
            print('expected.toml explains what no longer differs: %s' % reason)
        print('%d unexplained differences' % differ)
        return 1 if differ or stale else 0
    finally:
        left.stop()
        right.stop()


if __name__ == '__main__':
    sys.exit(main())
