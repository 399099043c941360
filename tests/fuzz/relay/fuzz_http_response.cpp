// SPDX-License-Identifier: Apache-2.0
// Any bytes as the response to a GET or a HEAD: what is taken has one meaning, which survives being written anew.
#include "tests/fuzz/relay/message_checks.h"

using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto end = headIn(text, HeadSeeker::Kind::Response);
    for (const char* method : {"GET", "HEAD"}) {
        const auto head = end ? readResponse(text.substr(0, *end), method) : httpFault(502, "");
        if (!head) {
            continue;
        }
        requirePlain(head->fields);
        require(isFieldValue(head->reason) && head->status >= 100 && head->status < 600);
        std::string anew = "HTTP/1.1 " + std::to_string(head->status) + " " + head->reason + "\r\n";
        for (const auto& field : head->fields) {
            anew += field.name + ": " + field.value + "\r\n";
        }
        anew += head->body.kind == BodyEnd::Kind::Chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n";
        const auto again = readResponse(anew, method);
        require(again && again->status == head->status && again->reason == head->reason && again->body.kind == head->body.kind &&
                again->body.length == head->body.length);
        checkBody(head->body, text.substr(*end));
    }
    return 0;
}
