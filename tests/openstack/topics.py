"""Everything that is run on both sides: a topic a file of `raw` and `commands`, the SDK, the crate, the play."""
import os

import commands
import play
import raw
import rust
import sdk

HERE = os.path.dirname(os.path.abspath(__file__))


class Topic:
    """One run on one empty server."""

    def __init__(self, kind, name, run, entry_title, shown):
        self.kind, self.name, self.title = kind, name, kind + '/' + name
        self.run, self.entry_title, self.shown = run, entry_title, shown


def _files(kind, module, ending):
    folder = os.path.join(HERE, kind)
    for name in sorted(os.listdir(folder)):
        if name.endswith(ending):
            with open(os.path.join(folder, name), encoding='utf-8') as file:
                text = file.read()
            yield Topic(kind, name[:-len(ending)], lambda url, names, text=text: module.run(url, text, names),
                        module.title, module.shown)


def chosen(words, quick, ansible, crate):
    """The topics whose title holds one of the words, or all."""
    found = list(_files('raw', raw, '.http'))
    if not quick:
        found += _files('commands', commands, '.txt')
        found.append(Topic('sdk', 'sdk', sdk.run, sdk.title, sdk.shown))
        if crate:
            found.append(Topic('rust', 'rust', lambda url, names: rust.run(url, names, crate), rust.title, rust.shown))
        if ansible:
            found.append(Topic('play', 'play', lambda url, names: play.run(url, names, ansible),
                               play.title, play.shown))
    return [topic for topic in found if not words or any(word in topic.title for word in words)]
