"""An Ansible play of the collection openstack.cloud, played twice: the second time changes nothing."""
import json
import os
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CLOUDS = """\
clouds:
  here:
    auth_type: none
    auth:
      endpoint: %s
"""


def run(url, names, environment):
    """Plays it twice, and gives for each task what it says."""
    with open(os.path.join(HERE, 'play.yml'), encoding='utf-8') as file:
        names.write(file.read())
    with tempfile.TemporaryDirectory(prefix='sg-play-') as folder:
        clouds = os.path.join(folder, 'clouds.yaml')
        with open(clouds, 'w', encoding='utf-8') as file:
            file.write(CLOUDS % url)
        entries = []
        for time in ('first', 'second'):
            entries += [dict(entry, time=time) for entry in _played(clouds, folder, environment, names)]
        return entries


def _played(clouds, folder, environment, names):
    program = os.path.join(environment, 'bin', 'ansible-playbook')
    variables = dict(os.environ, OS_CLIENT_CONFIG_FILE=clouds, ANSIBLE_STDOUT_CALLBACK='ansible.posix.json',
                     ANSIBLE_LOCALHOST_WARNING='false', ANSIBLE_HOME=folder, ANSIBLE_RETRY_FILES_ENABLED='false',
                     ANSIBLE_DEPRECATION_WARNINGS='false', PYTHONWARNINGS='ignore')
    python = os.path.join(environment, 'bin', 'python')
    done = subprocess.run(
        [program, '-i', 'localhost,', '-c', 'local', '-e', 'ansible_python_interpreter=' + python,
         os.path.join(HERE, 'play.yml')],
        env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
    text = done.stdout[done.stdout.index('{'):] if '{' in done.stdout else '{}'
    tasks = json.JSONDecoder().raw_decode(text)[0].get('plays', [{}])[0].get('tasks')
    if not tasks:
        raise RuntimeError('the play does not begin:\n' + done.stdout)
    return [{'task': task['task']['name'], 'result': names.json(_kept(task['hosts']['localhost']))}
            for task in tasks]


def _kept(result):
    """What a module says, without what Ansible adds to it."""
    kept = {key: value for key, value in result.items()
            if key not in ('invocation', 'action', '_ansible_no_log', 'exception', 'warnings', 'deprecations')}
    if 'response' in (kept.get('extra_data') or {}):
        # The text of an answer: where it has spaces is nobody's business.
        kept['extra_data']['response'] = json.loads(kept['extra_data']['response'])
    return kept


def title(entry):
    return 'the %s time: %s' % (entry['time'], entry['task'])


def shown(entry):
    """What a task says as lines to compare."""
    return json.dumps(entry['result'], indent=1, ensure_ascii=False).splitlines()
