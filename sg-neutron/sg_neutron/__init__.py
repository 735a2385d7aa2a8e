"""Neutron's firewall driver for security groups in eBPF: `firewall_driver = ebpf`."""
