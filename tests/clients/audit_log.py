"""Verifies what `ntro admin audit` prints, from the specifications alone.

audit_log.py proof KEY PROOF                  an event's proof (c2sp.org/tlog-proof)
audit_log.py export KEY CHECKPOINT EXPORT     exported lines against a checkpoint
audit_log.py consistency KEY OLD NEW PATH     two checkpoints; PATH has a hash per line
audit_log.py tamper DATABASE SQL              runs statements, as an intruder would
"""

import base64
import hashlib
import json
import sqlite3
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(entry):
    return sha256(b"\x00" + entry)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


def opened(note, key):
    """Returns origin, size and root of a checkpoint that the key has signed."""
    name, key_id, public = key.split("+", 2)
    public = base64.b64decode(public, validate=True)
    assert public[0] == 1, "not an Ed25519 key"
    expected = sha256(name.encode() + b"\n" + public)[:4]
    assert expected.hex() == key_id, "the key has another id"
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    for line in signatures.splitlines():
        dash, signer, signature = line.split(" ")
        assert dash == "\u2014"
        signature = base64.b64decode(signature, validate=True)
        if signer == name and signature[:4] == expected:
            try:
                Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[4:], text.encode())
            except InvalidSignature:
                sys.exit("the signature of the checkpoint is wrong")
            break
    else:
        sys.exit("the key has not signed the checkpoint")
    origin, size, root = text.splitlines()[:3]
    assert origin == name, "the checkpoint is of another log"
    return origin, int(size), base64.b64decode(root, validate=True)


def root_of(hashes):
    """The root of a tree, level by level: a hash without a sibling moves up unchanged."""
    if not hashes:
        return sha256(b"")
    while len(hashes) > 1:
        pairs = [node_hash(*hashes[at : at + 2]) for at in range(0, len(hashes) - 1, 2)]
        hashes = pairs + hashes[len(pairs) * 2 :]
    return hashes[0]


def root_from_inclusion(index, size, leaf, path):
    """RFC 9162, section 2.1.3.2."""
    if index >= size:
        sys.exit("the index is beyond the checkpoint")
    number, last, found = index, size - 1, leaf
    for hash in path:
        if last == 0:
            sys.exit("the proof is too long")
        if number & 1 or number == last:
            found = node_hash(hash, found)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            found = node_hash(found, hash)
        number >>= 1
        last >>= 1
    if last:
        sys.exit("the proof is too short")
    return found


def is_consistent(old, new, old_root, new_root, path):
    """RFC 9162, section 2.1.4.2."""
    if old == new:
        return not path and old_root == new_root
    if not 0 < old < new:
        return old == 0
    path = list(path)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    number, last = old - 1, new - 1
    while number & 1:
        number >>= 1
        last >>= 1
    if not path:
        return False
    left = right = path[0]
    for hash in path[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            left, right = node_hash(hash, left), node_hash(hash, right)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            right = node_hash(right, hash)
        number >>= 1
        last >>= 1
    return last == 0 and left == old_root and right == new_root


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def decoded(lines):
    return [base64.b64decode(line, validate=True) for line in lines]


def prove(key, path):
    head, note = read(path).split("\n\n", 1)
    version, extra, index, *hashes = head.split("\n")
    assert version == "c2sp.org/tlog-proof@v1", version
    entry = base64.b64decode(extra.removeprefix("extra "), validate=True)
    index = int(index.removeprefix("index "))
    origin, size, root = opened(note, key)
    if root_from_inclusion(index, size, leaf_hash(entry), decoded(hashes)) != root:
        sys.exit("the proof does not lead to the root")
    event = json.loads(entry)
    assert (event["index"], "ntro-audit/" + event["log"]) == (index, origin)
    print(f"entry {index} of {size}: {event['action']}")


def export(key, checkpoint, path):
    origin, size, root = opened(read(checkpoint), key)
    lines = read(path).encode().splitlines()
    if len(lines) < size:
        sys.exit(f"truncated: {len(lines)} lines, the checkpoint has {size}")
    for index, line in enumerate(lines):
        event = json.loads(line)
        if (event["index"], "ntro-audit/" + event["log"]) != (index, origin):
            sys.exit(f"line {index} is out of place")
    if root_of([leaf_hash(line) for line in lines[:size]]) != root:
        sys.exit("the lines are not those of the checkpoint")
    print(f"{size} of {len(lines)} lines are those of the checkpoint")


def consistency(key, old, new, path):
    _, old_size, old_root = opened(read(old), key)
    _, new_size, new_root = opened(read(new), key)
    path = decoded(read(path).split())
    if not is_consistent(old_size, new_size, old_root, new_root, path):
        sys.exit(f"forked: {new_size} entries do not continue {old_size}")
    print(f"{new_size} entries continue {old_size}")


def tamper(database, sql):
    with sqlite3.connect(database) as connection:
        connection.executescript(sql)
    connection.close()


if __name__ == "__main__":
    commands = {"proof": prove, "export": export, "consistency": consistency, "tamper": tamper}
    commands[sys.argv[1]](*sys.argv[2:])
