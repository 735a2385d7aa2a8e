import os
import socket
import unittest
from unittest import mock

from sg_neutron.client import Client, DaemonError, Stale
from tests.node import Node

TRANSACTION = {"session": "aaaaaaaa-1111-4111-8111-111111111111", "base": None, "complete": False}


class AnswersAreUnderstood(unittest.TestCase):
    def setUp(self):
        self.node = Node(self)
        self.daemon = self.node.start()
        self.client = Client(self.node.socket, 5.0)

    def failure(self, kind=DaemonError):
        with self.assertRaises(kind) as raised:
            self.client.apply(TRANSACTION)
        return str(raised.exception)

    def test_a_revision(self):
        self.assertEqual(1, self.client.apply(TRANSACTION)["revision"])

    def test_a_refusal_to_build_on_something_else(self):
        self.daemon.refusal = (
            409,
            {"error": "revision 7 is in force", "hint": "send a complete transaction"},
        )
        self.assertIn("revision 7 is in force (send a complete transaction)", self.failure(Stale))

    def test_an_error_with_object_field_value_and_remedy(self):
        view = {
            "error": "is no UUID",
            "object": "port x",
            "field": "id",
            "value": '"x"',
            "hint": "write a UUID",
        }
        self.daemon.refusal = (422, view)
        self.assertIn('422: port x id "x": is no UUID (write a UUID)', self.failure())

    def test_those_of_another_version(self):
        for refusal in [
            (501, {"error": "this daemon has no such route"}),
            (404, b"Not Found"),
            (200, {"changes": 1}),
            (200, []),
            (200, b"<html>"),
        ]:
            with self.subTest(refusal):
                self.daemon.refusal = refusal
                self.assertIn("another version", self.failure())

    def test_none_because_there_is_no_daemon(self):
        self.node.kill()
        self.assertIn("start sgd", self.failure())
        os.unlink(self.node.socket)
        self.assertIn("does not exist", self.failure())

    def test_none_because_it_ends_in_the_middle(self):
        self.node.kill()
        os.unlink(self.node.socket)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.node.socket)
            listener.listen(1)
            self.client = Client(self.node.socket, 0.2)
            self.assertIn("has not answered within 0.2 s", self.failure())

    def test_a_file_that_is_no_socket_is_refused(self):
        self.node.kill()
        os.unlink(self.node.socket)
        with open(self.node.socket, "w", encoding="ascii"):
            self.assertIn("is no socket", self.failure())

    def test_a_socket_of_another_user_is_refused_before_anything_is_told(self):
        with mock.patch("sg_neutron.client._is_trusted", lambda user: user not in (0, os.geteuid())):
            self.assertIn("belongs to user", self.failure())
        self.assertEqual([], self.daemon.requests)

    def test_and_so_is_one_behind_which_another_user_listens(self):
        first = [True]
        with mock.patch("sg_neutron.client._is_trusted", lambda user: bool(first and first.pop())):
            self.assertIn("the process", self.failure())
        self.assertEqual([], self.daemon.requests)
