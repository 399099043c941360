// SPDX-License-Identifier: Apache-2.0
#include "app/egress/clerk_words.h"

#include "guest/protocol/plain_text.h"
#include "guest/protocol/strict_json.h"

namespace carrel::egress {

namespace {

constexpr std::size_t kMaxGivenWord = 16;
constexpr std::size_t kMaxGivenHow = 64;

// One of the words that link.h has; anything else is a problem.
template <class Word> Word wordFrom(JsonFields& fields, const char* name, std::initializer_list<Word> words) {
    const auto given = fields.string(name, kMaxGivenWord);
    for (const auto each : words) {
        if (toString(each) == given) {
            return each;
        }
    }
    fields.problem(name, "is none that there is");
    return *words.begin();
}

OpenWord openFrom(JsonFields& fields) {
    OpenWord out;
    out.number = fields.number("number");
    out.host = fields.string("host", kMaxGivenHost);
    out.port = static_cast<std::uint16_t>(fields.number("port", UINT16_MAX));
    return out;
}

ClosedWord closedFrom(JsonFields& fields) {
    ClosedWord out;
    out.number = fields.number("number");
    out.bytes = {fields.number("sent"), fields.number("received")};
    out.how = fields.string("how", kMaxGivenHow);
    return out;
}

RequestWord requestFrom(JsonFields& fields, bool hasKeys) {
    RequestWord out;
    out.number = fields.number("number");
    out.request = fields.number("request");
    out.method = fields.string("method", kMaxGivenMethod);
    out.path = fields.string("path", kMaxGivenPath);
    out.placeholders = fields.strings("placeholders", kMaxPlaceholdersTold, kMaxGivenName);
    if (hasKeys) {
        out.ownKeys = fields.strings("own_keys", kMaxPlaceholdersTold, kMaxGivenName);
    }
    return out;
}

CanaryWord canaryFrom(JsonFields& fields) {
    using relay::CanaryForm;
    using relay::CanaryPlace;
    CanaryWord out;
    out.number = fields.number("number");
    out.request = fields.number("request");
    out.name = fields.string("name", kMaxGivenName);
    out.where = wordFrom(fields, "where", {CanaryPlace::Target, CanaryPlace::Field, CanaryPlace::Body});
    out.form = wordFrom(fields, "form", {CanaryForm::Plain, CanaryForm::Base64, CanaryForm::Hex, CanaryForm::Percent, CanaryForm::Gzip});
    return out;
}

} // namespace

Result<NetWord> netWordFrom(std::string_view method, const boost::json::object& params) {
    JsonFields fields(params, method);
    NetWord out;
    if (method == "net.open") {
        out = openFrom(fields);
    } else if (method == "net.closed") {
        out = closedFrom(fields);
    } else if (method == "net.request") {
        out = requestFrom(fields, params.contains("own_keys"));
    } else if (method == "net.canary") {
        out = canaryFrom(fields);
    } else if (method == "net.used") {
        out = UsedWord{fields.number("bytes")};
    } else if (method == "forward.closed") {
        out = ForwardClosedWord{closedFrom(fields)};
    } else {
        return fail(ErrorCode::Malformed, "a clerk cannot say " + plainText(method, 40));
    }
    CARREL_TRY(fields.finish());
    return out;
}

} // namespace carrel::egress
