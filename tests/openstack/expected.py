"""The differences that are wanted, each with its reason: `expected.toml`.

    [[difference]]
    topic = "raw/03-rules"                # words that the topic's title holds
    request = "\"protocol\": \"ANY\""     # a regular expression, searched in the entry's title
    left = "^500$"                        # a regular expression, searched in the lines of the one side
    right = "^400$"                       # and of the other
    only = "revision_number"              # a regular expression that every line that differs has
    reason = "…"

What is left out holds for all. A difference is explained when one entry fits it whole.
"""
import re
import tomllib


class Expected:
    """What `expected.toml` explains, and what of it was met."""

    def __init__(self, rows):
        self.rows, self.met = rows, set()

    def explains(self, topic, title, lines):
        for number, row in enumerate(self.rows):
            if row.get('topic', '') in topic and re.search(row.get('request', ''), title) and \
                    _has(row.get('left', ''), lines, '-') and _has(row.get('right', ''), lines, '+') and \
                    all(re.search(row.get('only', ''), line) for line in lines if line[0] in '-+'):
                self.met.add(number)
                return True
        return False

    def unused(self, titles):
        """The reasons that nothing in these topics needed."""
        return [row['reason'] for number, row in enumerate(self.rows)
                if number not in self.met and any(row.get('topic', '') in title for title in titles)]


class Nothing(Expected):
    """Explains nothing."""

    def __init__(self):
        super().__init__([])


def _has(pattern, lines, sign):
    return not pattern or any(re.search(pattern, line[1:]) for line in lines if line.startswith(sign))


def read(path):
    with open(path, 'rb') as file:
        return Expected(tomllib.load(file).get('difference', []))
