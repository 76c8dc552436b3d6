"""No network: makes every connection of this process to anything but this machine fail at once.

``environment(folder)`` passes it on: Python puts ``sitecustomize`` in front of whatever a process runs, so
notebook kernels, and the processes that they start, are cut off too. Only Python's own sockets are;
Jupyter's messages, which travel over loopback inside ZeroMQ, are left alone.
"""

import errno
import ipaddress
import os
import socket
from pathlib import Path

MESSAGE = "no network in the tests"
DEAD_PROXY = "http://127.0.0.1:9"  # port 9 discards; nobody listens there


def is_this_machine(host):
    """True for loopback, for the empty host and for a socket that is a file.

    >>> [is_this_machine(host) for host in ("localhost", "127.0.0.1", "::1", "192.0.2.1", "example.org")]
    [True, True, True, False, False]
    """
    if not isinstance(host, str):
        return host is None
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


def refuse(address):
    raise OSError(errno.ENETUNREACH, f"{MESSAGE}, and this asked for {address}")


def cut():
    """Patch ``socket`` so that connecting, sending and looking up names work for this machine only."""
    real = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
    look_up = socket.getaddrinfo

    def guarded(name):
        def method(self, *arguments):
            address = arguments[-1]
            if self.family in (socket.AF_INET, socket.AF_INET6) and not is_this_machine(address[0]):
                refuse(address[0])
            return real[name](self, *arguments)

        return method

    def getaddrinfo(host, *arguments, **named):
        if not is_this_machine(host.decode() if isinstance(host, bytes) else host):
            refuse(host)
        return look_up(host, *arguments, **named)

    for name in real:
        setattr(socket.socket, name, guarded(name))
    socket.getaddrinfo = getaddrinfo


def environment(folder):
    """Environment variables under which Python processes have no network; ``folder`` gets what they need."""
    source = Path(__file__).read_text(encoding="utf-8")
    (Path(folder) / "sitecustomize.py").write_text(f"{source}\n\ncut()\n", encoding="utf-8")
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    proxies = dict.fromkeys(
        ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), DEAD_PROXY
    )
    return {"PYTHONPATH": os.pathsep.join(path), "NO_PROXY": "localhost,127.0.0.1,::1", **proxies}
