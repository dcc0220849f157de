"""HTTP/2 servers that do what a script says, on PyPI's h2: for what no gRPC server would do."""

import contextlib
import socket
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from support import free_ip

OK = [(":status", "200"), ("content-type", "application/grpc")]
DONE = [("grpc-status", "0")]


def message(pod="pod-1", flag=0):
    """A GreetingResponse that names its pod, with gRPC's prefix."""
    body = b"\x12" + bytes([len(pod)]) + pod.encode()
    return bytes([flag]) + len(body).to_bytes(4, "big") + body


def prefixed(body):
    """Any message, with gRPC's prefix."""
    return b"\0" + len(body).to_bytes(4, "big") + body


def frame(kind, flags, stream, payload=b""):
    """A frame of HTTP/2 (RFC 9113 4.1), for what h2 would not write."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


class Peer:
    """One connection: what the server's end of it has seen, and can say."""

    def __init__(self, connection, settings):
        connection.settimeout(20)
        self.socket = connection
        config = h2.config.H2Configuration(
            client_side=False, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        self.h2.initiate_connection()
        self.headers = {}  # by stream
        self.bodies = {}  # of the requests, by stream
        self._events = []
        self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def wait_for(self, kind):
        """The next event of a kind; others that come before it are passed by.

        Raises ConnectionError when the client has gone.
        """
        while True:
            while self._events:
                event = self._events.pop(0)
                if isinstance(event, h2.events.RequestReceived):
                    self.headers[event.stream_id] = dict(event.headers)
                if isinstance(event, h2.events.DataReceived):
                    self.bodies[event.stream_id] = (
                        self.bodies.get(event.stream_id, b"") + event.data
                    )
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if isinstance(event, kind):
                    return event
            self.flush()  # what was read is acknowledged before more is waited for: windows open
            received = self.socket.recv(65536)
            if not received:
                raise ConnectionError("the client has gone")
            self._events += self.h2.receive_data(received)
            self.flush()

    def request(self):
        """Waits for a whole request; its stream."""
        return self.wait_for(h2.events.StreamEnded).stream_id

    def say(self, stream, headers, *, last=False):
        self.h2.send_headers(stream, headers, end_stream=last)
        self.flush()

    def send(self, stream, data, *, last=False):
        """Sends bytes of a body, as the client's windows let it."""
        while data:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if not room:
                self.wait_for(h2.events.WindowUpdated)
                continue
            self.h2.send_data(stream, data[:room])
            data = data[room:]
            self.flush()
        if last:
            self.h2.end_stream(stream)
            self.flush()

    def answer(self, stream, pod="pod-1"):
        self.say(stream, OK)
        self.send(stream, message(pod))
        self.say(stream, DONE, last=True)

    def go_away(self, last_stream, error=0, debug=b""):
        """Not h2's own: that one ends everything."""
        self.socket.sendall(
            frame(7, 0, 0, last_stream.to_bytes(4, "big") + error.to_bytes(4, "big") + debug)
        )

    def reset(self, stream, error):
        self.h2.reset_stream(stream, error)
        self.flush()


@contextlib.contextmanager
def serving(*scripts, settings=None):
    """The scripts, one a connection; the last one for all that follow. Gives the target."""
    with socket.create_server((free_ip(), 0)) as listener:
        threads, connections = [], []

        def run(script, connection):
            # The client hangs up when it has what it wanted.
            with connection, contextlib.suppress(OSError, h2.exceptions.ProtocolError):
                script(Peer(connection, settings or {}))

        def accept():
            for number in range(10_000):
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(connection)
                script = scripts[min(number, len(scripts) - 1)]
                threads.append(threading.Thread(target=run, args=(script, connection)))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield "static:{}:{}".format(*listener.getsockname())
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
