"""What two runs of the same server say alike: ids, times and what a server chooses freely are taken out.

- An id that was saved under a name becomes `$name`, an id that a request wrote itself stays, any other
  becomes `<id>`.
- Times become `<time>`, ids of requests `<request>`, the server's own address `http://HOST`.
- An address or a MAC address that no request has written is one that the server chose at random: the
  `ip_address` of a fixed IP becomes `<ip>`, a MAC address fa:16:3e:.. `<mac>`. An allocation pool says where
  a server chooses: what it writes does not count.
- `standard_attr_id`, a number of the database, becomes `<number>`; sets and lists that Python prints are
  sorted.
- Lists are sorted, because Neutron gives no order to what no `sort_key` orders: all but DNS servers, whose
  order is kept by Neutron, and the rows of an answer to a request with a `sort_key`.
"""
import json
import re

UUID = re.compile(r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}')
REQUEST = re.compile(r'req-' + UUID.pattern)
TIME = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ')
MAC = re.compile(r'fa:16:3e(:[0-9a-f]{2}){3}')
FIXED_IP = re.compile(r'''(['"]?ip_address['"]?(?:=|: ?)['"])([0-9a-f:.]+)''')
NUMBER = re.compile(r'''(standard_attr_id['"]?(?:=|: ?)'?)\d+''')
HOST = re.compile(r'http://127\.0\.0\.1:\d+')
# What an address, a MAC address or an id in a request is one of.
WORD = re.compile(r'[0-9a-f:.-]+')
# Where a server chooses from: to write that is not to write what it chooses.
POOL = re.compile(r'allocation[-_]pools?\w*["=: ]+(\[[^\]]*\]|\S+)')
# A set or a list of Python in a text, and ids in a row: they have no order either.
SET = re.compile(r"(?<=attribute\(s\) ')[\w, :]+(?=')|(?<=[{\[])'[^'\[{]+'(?:, '[^'\[{]+')+(?=[}\]])")
IDS = re.compile(r'(\$\w+|<id>)(,(\$\w+|<id>))+')
ORDERED = ('dns_nameservers',)
RULE = re.compile(r'^\+[-+=]+\+$')
TOKENS = re.compile(r'^(\$\w+|<id>)(, (\$\w+|<id>))+$')


class Names:
    """What the requests of one run have named or written so far."""

    def __init__(self):
        self.saved = {}
        self.written = set()

    def write(self, text):
        """Takes note of what a request says, before its names are replaced."""
        self.written.update(WORD.findall(POOL.sub('', text.lower())))

    def save(self, name, value):
        self.saved[name] = value

    def fill(self, text):
        """The text of a request, with what is saved in place of `$name`: a name that was never given stays."""
        return re.sub(r'\$([a-z]\w*)', lambda found: self.saved.get(found[1], found[0]), text)

    def text(self, text):
        """The text of an answer without what differs from run to run."""
        names = {value: '$' + name for name, value in self.saved.items()}
        text = REQUEST.sub('<request>', text)
        text = UUID.sub(lambda found: names.get(found[0]) or self._chosen(found[0], '<id>'), text)
        text = TIME.sub('<time>', text)
        text = MAC.sub(lambda found: self._chosen(found[0], '<mac>'), text)
        text = FIXED_IP.sub(lambda found: found[1] + self._chosen(found[2], '<ip>'), text)
        text = SET.sub(lambda found: ', '.join(sorted(found[0].split(', '))), text)
        text = IDS.sub(lambda found: ','.join(sorted(found[0].split(','))), text)
        text = NUMBER.sub(r'\1<number>', text)
        return HOST.sub('http://HOST', text)

    def json(self, value, key='', ordered=False):
        """A JSON value without what differs from run to run. `ordered`: the rows of its list keep their order."""
        if isinstance(value, dict):
            return {k: self.json(value[k], k, ordered) for k in sorted(value)}
        if isinstance(value, list):
            rows = [self.json(row, key) for row in value]
            return rows if ordered or key in ORDERED else sorted(rows, key=compact)
        if key == 'standard_attr_id':
            return '<number>'
        if key == 'ip_address' and isinstance(value, str):
            return self._chosen(value, '<ip>')
        return self.text(value) if isinstance(value, str) else value

    def output(self, text, ordered, lines_ordered):
        """What a command prints, without the widths of columns either. `ordered`: the rows of a table keep
        their order; `lines_ordered`: the lines of other text do.
        """
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if isinstance(document, dict | list):
            return json.dumps(self.json(document, '', ordered), indent=1, ensure_ascii=False).splitlines()
        lines = [line.rstrip() for line in self.text(text).splitlines()]
        if lines and RULE.match(lines[0]):
            return _table(lines, ordered)
        return lines if lines_ordered else sorted(lines)

    def _chosen(self, value, token):
        return value if value.lower() in self.written else token


def compact(value):
    """One line of JSON with sorted keys: the order of rows."""
    return json.dumps(value, sort_keys=True, separators=(',', ':'), ensure_ascii=False)


def _table(lines, ordered):
    """The rows of a table, sorted with the lines that go on in the next ones."""
    head, rows, after = [], [], []
    rules = 0
    for line in lines:
        if RULE.match(line):
            rules += 1
        elif rules == 1:
            head.append(_cells(line))
        elif rules == 2:
            cells = _cells(line)
            # A line that is empty throughout is a row of its own: one whose only cell is an empty name.
            if rows and not cells[0] and any(cells):
                rows[-1].append(cells)
            else:
                rows.append([cells])
        else:
            after.append(line)
    rows = [_row(row) for row in rows]
    return [' | '.join(cells) for cells in head] + (rows if ordered else sorted(rows)) + after


def _cells(line):
    cells = [cell.strip() for cell in line.strip('|').split(' | ')]
    return [', '.join(sorted(cell.split(', '))) if TOKENS.match(cell) else cell for cell in cells]


def _row(lines):
    """One row: the lines of each cell, sorted."""
    columns = zip(*lines) if len({len(cells) for cells in lines}) == 1 else lines
    return ' | '.join('; '.join(sorted(filter(None, column))) for column in columns)
