#!/usr/bin/env python3
"""Sends eligibility questions to a hub's partner port until told to stop, and says what became of each, as JSON.

Half of the clients open a connection for every request; half keep theirs, as most systems do. Each request has an
Idempotency-Key. One whose kept connection turns out to be closed before a byte of an answer came is sent once more on
a fresh connection, as RFC 9110 (9.2.2) has it and HTTP clients do; these are counted. Everything else that is not an
answer of 200 is a failure: nothing is tried a third time.
"""

import argparse
import collections
import http.client
import json
import os
import signal
import socket
import ssl
import threading
import time
import uuid


class Through(http.client.HTTPSConnection):
    """HTTPS to an address, for a name that need not resolve to it."""

    def __init__(self, address, port, name, context):
        super().__init__(name, port, timeout=30, context=context)
        self.through = (address, port)

    def connect(self):
        plain = socket.create_connection(self.through, timeout=self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--port", type=int, default=8444)
    parser.add_argument("--name", default="localhost", help="the name in the hub's certificate")
    parser.add_argument("--ca", required=True)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--member", required=True, help="a member's identifier, as system|value")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=600, help="the longest that it runs")
    told = parser.parse_args()

    context = ssl.create_default_context(cafile=told.ca)
    context.load_cert_chain(told.cert, told.key)
    system, value = told.member.split("|", 1)
    question = {"kind": "eligibility", "member": {"identifiers": [{"system": system, "value": value}]}, "eligibility": {}}
    body = json.dumps(question)
    counts, faults, slowest = collections.Counter(), collections.Counter(), [0.0]
    lock, stop = threading.Lock(), threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: stop.set())

    def ask(connection, key):
        headers = {"content-type": "application/json", "idempotency-key": key}
        connection.heard = False
        connection.request("POST", "/v1/eligibility", body, headers)
        answer = connection.getresponse()
        connection.heard = True
        answer.read()
        return answer

    def client(keeps):
        connection, used = None, False
        while not stop.is_set():
            key, began, fault, again = str(uuid.uuid4()), time.monotonic(), None, 0
            for _ in range(2):
                if connection is None:
                    connection, used = Through(told.address, told.port, told.name, context), False
                try:
                    answer = ask(connection, key)
                    fault = None if answer.status == 200 else f"status {answer.status}"
                    used = True
                    if not keeps or answer.will_close:
                        connection.close()
                        connection = None
                    break
                except (OSError, http.client.HTTPException) as error:
                    connection.close()
                    fault = f"{type(error).__name__} on a {'kept' if used else 'fresh'} connection"
                    # RemoteDisconnected, closed before an answer, is a ConnectionResetError.
                    was_closed = isinstance(error, (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError))
                    is_safe = used and was_closed and not connection.heard
                    connection = None
                    if not is_safe:
                        break
                    again = 1
            with lock:
                counts["requests"] += 1
                counts["sent_again"] += again
                slowest[0] = max(slowest[0], time.monotonic() - began)
                if fault is None:
                    counts["answered"] += 1
                else:
                    counts["failed"] += 1
                    faults[fault] += 1

    clients = [threading.Thread(target=client, args=(number % 2 == 0,)) for number in range(told.clients)]
    began = time.monotonic()
    for one in clients:
        one.start()
    stop.wait(told.seconds)
    stop.set()
    for one in clients:
        one.join()
    print(json.dumps({
        "seconds": round(time.monotonic() - began, 1), "requests": counts["requests"], "answered": counts["answered"],
        "failed": counts["failed"], "faults": faults, "sent_again": counts["sent_again"],
        "slowest_ms": round(slowest[0] * 1000),
    }), flush=True)
    os._exit(1 if counts["failed"] else 0)


main()
