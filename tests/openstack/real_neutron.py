#!/usr/bin/env python3
"""A real Neutron API on the loopback: ML2, noauth, SQLite in a temporary folder, no agents.

    real_neutron.py [--port PORT]

Prints its URL on one line when it answers, and serves until its standard input ends. A line `reset` on
standard input brings the database back to its first state and is answered with `done`. Nothing of Neutron
is changed. Alembic does not do SQLite, so the schema is made of Neutron's own models, and the four
default security group rules are inserted from the migration that would have done it.
"""
import argparse
import os
import runpy
import shutil
import sqlite3
import sys
import tempfile
import threading
import traceback
from wsgiref import simple_server

NEUTRON_CONF = """\
[DEFAULT]
auth_strategy = noauth
core_plugin = ml2
service_plugins = {plugins}
transport_url = fake://
state_path = {folder}
api_paste_config = {paste}
debug = false
use_stderr = false
log_file = {folder}/neutron.log
[database]
connection = sqlite:///{folder}/neutron.sqlite
[oslo_concurrency]
lock_path = {folder}/lock
[oslo_policy]
policy_file = {folder}/policy.yaml
[oslo_messaging_notifications]
driver = noop
"""

ML2_CONF = """\
[ml2]
type_drivers = local,flat,vlan,vxlan
tenant_network_types = local
mechanism_drivers = openvswitch
extension_drivers = port_security
[securitygroup]
enable_security_group = true
"""

# What a usual cloud has on, beside what Neutron adds by itself (tags, revisions, times, flavors).
PLUGINS = ('router', 'log', 'network_ip_availability', 'trunk')

# The migration that inserts the four default rules: its folder's name is no package's.
DEFAULT_RULES = 'alembic_migrations/versions/2023.2/expand/c33da356b165_security_group_default_rules.py'


def configure(folder):
    """Writes the files and has Neutron read them."""
    paste = os.path.join(sys.prefix, 'etc', 'neutron', 'api-paste.ini')
    files = {'neutron.conf': NEUTRON_CONF.format(folder=folder, paste=paste, plugins=','.join(PLUGINS)),
             'ml2.ini': ML2_CONF, 'policy.yaml': '{}\n'}
    for name, text in files.items():
        with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
            file.write(text)
    os.environ['OS_NEUTRON_CONFIG_DIR'] = folder
    os.environ['OS_NEUTRON_CONFIG_FILES'] = 'neutron.conf;ml2.ini'
    sys.argv = ['neutron-api']


def application():
    """Neutron's WSGI application over a database with the schema and the default rules."""
    from neutron import server

    def boot():
        make_schema()
        from neutron.server import api
        return api.api_server()
    return server.boot_server(boot, prog='neutron-api')


def make_schema():
    import sqlalchemy
    from neutron.db import migration
    from neutron.db.migration.models import head  # noqa: F401 - it names every table
    from neutron_lib.db import model_base
    from oslo_config import cfg
    from oslo_db import options
    options.set_defaults(cfg.CONF)
    engine = sqlalchemy.create_engine(cfg.CONF.database.connection)
    model_base.BASEV2.metadata.create_all(engine)
    tables = model_base.BASEV2.metadata.tables
    rules = runpy.run_path(os.path.join(os.path.dirname(migration.__file__), DEFAULT_RULES))
    with engine.begin() as connection:
        for rule in rules['default_template_rules']:
            rule = dict(rule)
            made = connection.execute(tables['standardattributes'].insert().values(
                resource_type=rules['table_name'], description=rule.pop('description')))
            connection.execute(tables[rules['table_name']].insert().values(
                standard_attr_id=made.inserted_primary_key[0], **rule))
    engine.dispose()


class Database:
    """The database as it was at the start, to go back to."""

    def __init__(self, folder):
        self.live = os.path.join(folder, 'neutron.sqlite')
        self.first = os.path.join(folder, 'first.sqlite')
        shutil.copy(self.live, self.first)

    def reset(self):
        with sqlite3.connect(self.first) as first, sqlite3.connect(self.live) as live:
            first.backup(live)


def obey(database, serving):
    """Does what standard input says, until it ends."""
    for line in sys.stdin:
        if line.strip() == 'reset':
            database.reset()
            print('done', flush=True)
    serving.shutdown()


class Quiet(simple_server.WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--keep', action='store_true', help='leave the folder, with the log')
    options = parser.parse_args()
    # In memory where that can be: every request writes its database to the disk otherwise.
    folder = tempfile.mkdtemp(prefix='sg-neutron-api-', dir='/dev/shm' if os.access('/dev/shm', os.W_OK) else None)
    try:
        configure(folder)
        serving = simple_server.make_server('127.0.0.1', options.port, application(), handler_class=Quiet)
        threading.Thread(target=obey, args=(Database(folder), serving), daemon=True).start()
        print('http://127.0.0.1:%d' % serving.server_port, flush=True)
        serving.serve_forever()
    except BaseException:
        traceback.print_exc()
    finally:
        if options.keep:
            print(folder, file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
        # Neutron leaves threads behind that never end.
        os._exit(0)


if __name__ == '__main__':
    main()
