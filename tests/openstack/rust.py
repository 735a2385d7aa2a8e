"""The crate `openstack` of Rust, driven by a program of its own: `rust/`. Each line that it prints is a call."""
import json
import os
import subprocess


def run(url, names, program):
    """Has the program make its calls, and gives what each gave, normalised."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(('OS_', 'RUST_'))}
    environment.update(OS_AUTH_TYPE='none', OS_ENDPOINT=url)
    made = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=300, check=False)
    lines = [json.loads(line) for line in made.stdout.splitlines()]
    entries = [_normalised(line, names) for line in lines]
    entries.append({'call': 'the end', 'gives': made.returncode, 'raises': names.text(made.stderr)})
    return entries


def _normalised(line, names):
    call = line['call']
    names.write(call)
    for name, value in line.get('save', {}).items():
        names.save(name, value)
    if 'raises' in line:
        return {'call': call, 'raises': names.text(line['raises'])}
    return {'call': call, 'gives': names.json(line['gives'], '', 'sort_key' in call)}


def title(entry):
    return entry['call']


def shown(entry):
    """What a call gave as lines to compare."""
    lines = json.dumps(entry.get('gives'), indent=1, ensure_ascii=False).splitlines()
    return lines + ['raises ' + line for line in entry.get('raises', '').splitlines()]
