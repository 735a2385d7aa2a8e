"""Neutron's own functional firewall tests against this driver and a real daemon: `python -m functional`."""
