# SPDX-License-Identifier: Apache-2.0
"""A web server for both families that asks no name server, which a lab's hosts do not have:
http.server looks up its own name before it listens, and waits half a minute for nobody.

usage: web.py PORT [DIRECTORY]
"""
import functools
import http.server
import socket
import socketserver
import sys


class Web(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    server_bind = socketserver.TCPServer.server_bind


folder = sys.argv[2] if len(sys.argv) > 2 else "."
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
handler.func.address_string = lambda self: self.client_address[0]
Web(("::", int(sys.argv[1])), handler).serve_forever()
