"""A TCP proxy that lets everything wait."""

import socket
import threading
import time


class SlowProxy:
    """Passes on what comes to `port`, both ways, each piece after `delay` seconds."""

    def __init__(self, target):
        self.target = target
        self.delay = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                if self._listener.fileno() < 0:
                    return
                client.close()
                continue
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source, sink):
        try:
            while content := source.recv(65536):
                time.sleep(self.delay)
                sink.sendall(content)
        except OSError:
            pass
        for end in (source, sink):
            end.close()
