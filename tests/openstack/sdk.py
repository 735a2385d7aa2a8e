"""Calls of openstacksdk: what programs make that do not type commands."""
import json

import normal

# Each call is an expression over `net` (the SDK's network proxy), what was saved before, and `some`,
# which makes a list of what the SDK pages through. What it gives is saved under the name before it.
CALLS = """\
n = net.create_network(name='n')
s = net.create_subnet(name='s', network_id=n.id, ip_version=4, cidr='10.0.0.0/24', allocation_pools=[dict(start='10.0.0.130', end='10.0.0.250')])
six = net.create_subnet(name='six', network_id=n.id, ip_version=6, cidr='fd00::/64', ipv6_ra_mode='slaac', ipv6_address_mode='slaac')
web = net.create_security_group(name='web', description='x')
db = net.create_security_group(name='db', stateful=False)
some(net.security_groups())
some(net.security_groups(name='web'))
some(net.security_groups(fields=['name', 'id'], sort_key='name', sort_dir='desc'))
some(net.security_groups(limit=1, sort_key='name', sort_dir='asc', fields=['id', 'name']))
some(net.security_groups(limit=2, sort_key='name', sort_dir='asc', fields=['id', 'name']))
some(net.security_groups(limit=2, max_items=3, sort_key='name', sort_dir='asc', fields=['id', 'name']))
some(net.security_groups(paginated=False, limit=1, sort_key='name', sort_dir='asc', fields=['id', 'name']))
some(net.security_groups(nonsense=1))
net.find_security_group('web')
net.find_security_group('nonsense')
net.find_security_group('nonsense', ignore_missing=False)
net.get_security_group('nonsense')
net.update_security_group(web, description='y')
net.update_security_group(web, if_revision=1, description='z')
net.update_security_group(web, if_revision=net.get_security_group(web).revision_number, description='z')
net.delete_security_group(web, if_revision=1)
ssh = net.create_security_group_rule(security_group_id=web.id, direction='ingress', protocol='tcp', port_range_min=22, port_range_max=22)
net.create_security_group_rule(security_group_id=web.id, direction='ingress', protocol='tcp', port_range_min=22, port_range_max=22)
net.create_security_group_rules([dict(security_group_id=web.id, direction='ingress', protocol='tcp', port_range_min=p, port_range_max=p) for p in (80, 443)])
net.create_security_group_rules([dict(security_group_id=web.id, direction='ingress', protocol='udp'), dict(security_group_id=web.id, direction='ingress', protocol='udp')])
some(net.security_group_rules(security_group_id=web.id))
some(net.security_group_rules(security_group_id=web.id, direction='ingress', sort_key='port_range_min', sort_dir='asc', fields=['port_range_min']))
some(net.security_group_rules(security_group_id=web.id, protocol='tcp', limit=2, fields=['id', 'protocol']))
net.find_security_group_rule(ssh.id)
net.get_security_group_rule(ssh)
net.delete_security_group_rule(ssh)
net.delete_security_group_rule(ssh)
net.delete_security_group_rule(ssh, ignore_missing=False)
a = net.create_address_group(name='a', addresses=['10.9.0.0/24'])
net.add_addresses_to_address_group(a, ['10.8.0.0/24'])
net.add_addresses_to_address_group(a, ['10.8.0.0/24'])
net.remove_addresses_from_address_group(a, ['10.8.0.0/24'])
net.remove_addresses_from_address_group(a, ['10.8.0.0/24'])
net.update_address_group(a, name='b')
some(net.address_groups())
net.find_address_group('b')
p = net.create_port(network_id=n.id, name='p', security_group_ids=[web.id], fixed_ips=[dict(subnet_id=s.id, ip_address='10.0.0.9')])
net.create_ports([dict(network_id=n.id, name='b1'), dict(network_id=n.id, name='b2', security_groups=[db.id])])
net.create_ports([dict(network_id=n.id, name='b3'), dict(network_id=n.id, name='b4', fixed_ips=[dict(ip_address='10.0.0.9')])])
some(net.ports(network_id=n.id, sort_key='name', sort_dir='asc', fields=['name']))
some(net.ports(fixed_ips='ip_address=10.0.0.9', fields=['name']))
some(net.ports(security_group_ids=web.id, fields=['name']))
some(net.ports(any_tags='x', fields=['name']))
net.update_port(p, allowed_address_pairs=[dict(ip_address='10.0.0.99')])
net.update_port(p, if_revision=1, name='x')
net.update_port(p, is_port_security_enabled=False)
net.update_port(p, security_group_ids=[], allowed_address_pairs=[], is_port_security_enabled=False)
net.update_port(p, is_port_security_enabled=True, security_group_ids=[web.id, db.id])
net.add_ip_to_port(p, net.get_port(p))
net.set_tags(p, ['red', 'blue'])
net.get_port(p).tags
some(net.ports(tags='red', fields=['name']))
net.set_tags(web, [])
net.set_tags(web, ['x'])
net.add_tag(web, 'y')
net.get_security_group(web).tags
net.remove_tag(web, 'y').tags
net.remove_all_tags(web).tags
some(net.default_security_group_rules())
d = net.create_default_security_group_rule(direction='ingress', protocol='tcp', port_range_min=22, port_range_max=22, used_in_default_sg=False, used_in_non_default_sg=True)
net.find_default_security_group_rule(d.id)
net.delete_default_security_group_rule(d)
some(net.quotas())
net.get_quota('one')
net.get_quota('one', details=True)
net.get_quota_default('one')
net.update_quota('one', security_groups=3)
some(net.quotas())
net.delete_quota('one')
some(net.agents())
some(net.availability_zones())
net.find_extension('security-group')
some(net.network_ip_availabilities())
net.find_network('n').subnet_ids
net.find_available_ip()
net.delete_network(n)
net.delete_security_group(web)
net.delete_port(p)
net.delete_security_group(web)
net.get_network_ip_availability(n.id)
some(net.rbac_policies())
conn.list_security_groups()
conn.search_security_groups('db')
conn.get_security_group('db')
conn.create_security_group('cloud', 'layer')
conn.create_security_group_rule('cloud', protocol='tcp', port_range_min=80, port_range_max=80)
conn.delete_security_group('cloud')
conn.delete_security_group('nonsense')
conn.list_ports(filters=dict(network_id=n.id))
conn.delete_network('nonsense')
"""


def run(url, names):
    """Makes the calls in order, and gives what each gave, normalised."""
    import openstack
    from openstack import exceptions
    conn = openstack.connect(load_envvars=False, load_yaml_config=False, auth_type='none', auth={'endpoint': url})
    known = {'conn': conn, 'net': conn.network, 'some': list}
    names.write(CALLS)
    entries = []
    for line in CALLS.splitlines():
        name, sign, call = line.partition(' = ')
        name, call = (name, call) if sign and name.isalnum() else ('', line)
        try:
            value = eval(call, dict(known))  # noqa: S307 - the lines above
            if name:
                known[name] = value
                names.save(name, value.id)
            entries.append({'call': line, 'gives': names.json(_plain(value), '', 'sort_key' in call)})
        except (exceptions.SDKException, Exception) as error:
            entries.append({'call': line, 'raises': names.text('%s: %s' % (type(error).__name__, error))})
    conn.close()
    return entries


def _plain(value):
    """What the SDK gives, as JSON."""
    if hasattr(value, 'to_dict'):
        value = {key: held for key, held in value.to_dict().items() if key != 'location'}
    if isinstance(value, dict):
        return {str(key): _plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple | set) or hasattr(value, '__next__'):
        return [_plain(held) for held in value]
    return value if isinstance(value, str | int | float | bool | None) else normal.UUID.sub('<id>', str(type(value)))


def title(entry):
    return entry['call']


def shown(entry):
    """What a call gave as lines to compare."""
    if 'raises' in entry:
        return ['raises ' + entry['raises']]
    return json.dumps(entry['gives'], indent=1, ensure_ascii=False).splitlines()
