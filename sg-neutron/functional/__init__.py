"""What needs a real daemon and root: `python -m functional`."""
