// SPDX-License-Identifier: Apache-2.0
// Any bytes as a request: what is taken has one meaning, which survives being written anew.
#include "tests/fuzz/relay/message_checks.h"

using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Origin origin{Scheme::Http, "example.org", 80};
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto end = headIn(text, HeadSeeker::Kind::Request);
    if (!end) {
        return 0;
    }
    const auto head = readRequest(text.substr(0, *end), origin);
    if (!head) {
        require(head.error().status >= 400 && head.error().status < 600);
        return 0;
    }
    requirePlain(head->fields);
    require(head->method != "CONNECT" && isToken(head->method));
    require(head->target.path.starts_with('/') || (head->target.path == "*" && head->method == "OPTIONS"));
    std::string anew = head->method + " " + head->target.path + head->target.query + " HTTP/1.1\r\nHost: example.org\r\n";
    for (const auto& field : head->fields) {
        require(!isField(field, "host") && !isField(field, "connection") && !isField(field, "transfer-encoding") && !isField(field, "upgrade"));
        anew += field.name + ": " + field.value + "\r\n";
    }
    anew += head->body.kind == BodyEnd::Kind::Chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n";
    const auto again = readRequest(anew, origin);
    require(again && again->target.path == head->target.path && again->target.query == head->target.query &&
            again->fields.size() == head->fields.size() && again->body.kind == head->body.kind && again->body.length == head->body.length);
    checkBody(head->body, text.substr(*end));
    return 0;
}
