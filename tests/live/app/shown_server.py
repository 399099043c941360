# SPDX-License-Identifier: Apache-2.0
# shown_server.py 4|6 PORT: a web server of an agent's, on the loopback of its machine. Says what it was asked, and how often; and does
# what a page must not be able to do.
import http.server, socket, sys
class V6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0
    def answer(self, status, body, *more):
        self.send_response(status)
        for name, value in more:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        Handler.asked += 1
        if self.path == "/away":
            return self.answer(302, b"", ("Location", "https://evil.example.org/?knows"))
        if self.path == "/own":
            return self.answer(302, b"", ("Location", "http://localhost:%d/there" % self.server.server_address[1]))
        if self.path == "/much":
            return self.answer(200, b"0123456789abcdef" * 262144)
        self.answer(200, ("asked %d for %s\n" % (Handler.asked, self.headers["Host"])).encode(),
                    ("Content-Type", "text/html"), ("Set-Cookie", "a=b; Domain=localhost; Path=/"),
                    ("Content-Security-Policy", "default-src *; report-uri https://evil.example.org/"))
    def do_POST(self):
        Handler.asked += 1
        self.answer(200, str(len(self.rfile.read(int(self.headers["Content-Length"])))).encode())
    def log_message(self, *_):
        pass
four = sys.argv[1] == "4"
server = (http.server.ThreadingHTTPServer if four else V6)(("127.0.0.1" if four else "::1", int(sys.argv[2])), Handler)
print("serving", flush=True)
server.serve_forever()
