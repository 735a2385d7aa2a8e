"""What is to be told to the daemon: pure functions over what it is to know.

Objects are `{"ports": {id: port}, "trusted": …, "security_groups": …, "members": …}`, each as in
`POST /v1/transactions` and whole, but for members, which are frozen sets here.
"""

KINDS = ("ports", "trusted", "security_groups", "members")


def nothing():
    """The objects of a node without ports."""
    return {kind: {} for kind in KINDS}


def difference(known, wanted):
    """What turns the objects that the daemon knows into those that are wanted; `None` stands for what goes.

    Kinds of which nothing changes are left out. Of members, only those are told that came and went.
    """
    changes = {}
    for kind in KINDS:
        before, after = known[kind], wanted[kind]
        gone = {key: None for key in before.keys() - after.keys()}
        changed = {key: value for key, value in after.items() if _differs(before.get(key), value)}
        if kind == "members":
            changed = {key: _since(before.get(key), value) for key, value in changed.items()}
        if gone or changed:
            changes[kind] = changed | gone
    return changes


def _differs(before, after):
    # Most objects are the very same ones as before, and members may be many.
    return before is not after and before != after


def gone(ports, objects):
    """The changes that remove ports of either kind, unless they are wanted."""
    absent = {kind: set(ports) - objects[kind].keys() for kind in ("ports", "trusted")}
    return {kind: dict.fromkeys(keys) for kind, keys in absent.items() if keys}


def each_of_one_kind(objects):
    """All objects, and that a port of one kind is none of the other, as a former run may have told."""
    other = {"ports": dict.fromkeys(objects["trusted"]), "trusted": dict.fromkeys(objects["ports"])}
    return merged(other, objects)


def merged(changes, more):
    """Both changes; of two about one object the latter."""
    return {
        kind: changes.get(kind, {}) | more.get(kind, {}) for kind in KINDS if kind in changes or kind in more
    }


def _since(before, after):
    return {"added": sorted(after - before), "removed": sorted(before - after)} if before else after


def transaction(session, base, changes, complete=False):
    """The body of `POST /v1/transactions`.

    `base` is the revision that the changes build on; `None` begins a session. One that is `complete` names
    all there is: what it does not name goes.
    """
    members = {
        key: sorted(told) if isinstance(told, frozenset) else told
        for key, told in changes.get("members", {}).items()
    }
    written = changes | {"members": members} if members else changes
    return {"session": session, "base": base, "complete": complete, **written}


def reap(session, base):
    """The body that removes everything that this session has not named."""
    return {"session": session, "base": base, "reap": True}


def named(body):
    """The ids of the objects that a body names."""
    return set().union(*(body.get(kind, {}).keys() for kind in KINDS))
