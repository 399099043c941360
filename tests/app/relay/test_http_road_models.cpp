// SPDX-License-Identifier: Apache-2.0
// Requests that are metered: what a model used is told once of each, however it ends, and nothing that passes is changed by it.
#include "tests/app/relay/packing.h"
#include "tests/app/relay/road_rig.h"

#include <QTest>

using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::test;

namespace {

const std::string kBody = R"({"model":"claude-haiku-4-5","stream":true})";
std::string post(const std::string& path = "/v1/messages", const std::string& fields = {}, const std::string& body = kBody) {
    return "POST " + path + " HTTP/1.1\r\nHost: example.org\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
const std::string kStream = "data: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-haiku-4-5-20251001\",\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n"
                            "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"Sorted all.\"}}\n\n"
                            "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":15}}\n\n";
std::string chunked(const std::string& body, std::size_t piece, const std::string& fields = {}) {
    std::string out = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + fields + "Transfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < body.size(); at += piece) {
        const auto some = body.substr(at, piece);
        out += QByteArray::number(qulonglong(some.size()), 16).toStdString() + "\r\n" + some + "\r\n";
    }
    return out + "0\r\n\r\n";
}
std::unique_ptr<RoadRig> metered(Meter meter = Meter::On) {
    auto rig = plainRig();
    rig->decide = [meter](const AskedRequest&) { return RequestAnswer{.verdict = Verdict::Allow, .meter = meter}; };
    return rig;
}
std::string usesOf(const RoadRig& rig) {
    std::string out;
    for (const auto& [request, use] : rig.used) {
        out += std::to_string(request) + ": " + use.model + " " + std::to_string(use.input) + "/" + std::to_string(use.output) +
               (use.counted == ModelUse::Counted::Estimated ? " guessed " : " ") + std::to_string(use.status) + "; ";
    }
    return out;
}

} // namespace

class TestHttpRoadModels : public QObject {
    Q_OBJECT
private slots:
    void eachIsToldOnce() {
        auto rig = metered();
        const auto sent = rig->ask(post("/v1/messages", "Accept-Encoding: gzip, br\r\nRange: bytes=0-9\r\n"));
        QVERIFY(sent.find("Accept-Encoding: identity\r\n") != std::string::npos && sent.find("gzip") == std::string::npos);
        QVERIFY(sent.find("Range") == std::string::npos && sent.ends_with("\r\n\r\n" + kBody));
        const auto got = rig->reply(chunked(kStream, 11));
        QVERIFY(got.find("Sorted all") == std::string::npos || got.size() > kStream.size()); // in its chunks
        QCOMPARE(usesOf(*rig), std::string("1: claude-haiku-4-5-20251001 25/15 200; "));
        (void)rig->ask(post());
        (void)rig->reply("HTTP/1.1 529 Overloaded\r\nContent-Length: 2\r\n\r\n{}");
        (void)rig->ask("GET /v1/models HTTP/1.1\r\nHost: example.org\r\n\r\n");
        (void)rig->reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        QCOMPARE(usesOf(*rig), std::string("1: claude-haiku-4-5-20251001 25/15 200; 2: claude-haiku-4-5 0/0 529; 3:  0/0 200; "));
    }

    // The same bytes reach the program, whether somebody counts or not.
    void nothingIsChanged() {
        for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{10'000}}) {
            auto with = metered();
            auto without = metered(Meter::Off);
            std::string got[2];
            for (auto* rig : {with.get(), without.get()}) {
                (void)rig->ask(post());
                got[rig == without.get()] = rig->reply(chunked(kStream, piece));
            }
            QVERIFY(got[0] == got[1] && got[0].find("Sorted") == got[1].find("Sorted"));
            QCOMPARE(with->used.size(), std::size_t{1});
            QVERIFY(without->used.empty());
        }
    }

    void packedAllTheSame() {
        auto rig = metered();
        (void)rig->ask(post());
        const auto body = packed(kStream);
        const auto got = rig->reply("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
        QVERIFY(got.ends_with(body) && got.find("Content-Encoding: gzip") != std::string::npos);
        QCOMPARE(usesOf(*rig), std::string("1: claude-haiku-4-5-20251001 25/15 200; "));
    }

    // Whoever breaks it off: what was said is paid for.
    void whatIsBrokenOffIsGuessed() {
        const auto whole = chunked(kStream, 4096);
        const auto upTo = [&](std::string_view what) { return whole.substr(0, whole.find(what) + what.size()); };
        for (int who = 0; who < 4; ++who) {
            auto rig = metered();
            (void)rig->ask(post());
            (void)rig->reply(upTo("Sorted all.\"}}\n\n"));
            QVERIFY(rig->used.empty());
            if (who == 0) {
                rig->road.cut(); // as the owner's cut, and the program that has gone
            } else if (who == 1) {
                rig->host.drop();
            } else if (who == 2) {
                rig->program.leave(); // the program hangs up: the host goes on for nobody
            } else {
                rig->pass(std::chrono::seconds(901)); // it says nothing more
            }
            rig->run();
            QVERIFY(rig->road.isOver() && rig->road.isBroken());
            QCOMPARE(usesOf(*rig), std::string("1: claude-haiku-4-5-20251001 25/2 guessed 200; "));
        }
        // Of a host that is no model's the answer still comes: the connection may be closed in one direction alone.
        auto other = metered(Meter::Off);
        (void)other->ask(post());
        other->program.leave();
        other->run();
        QVERIFY(!other->road.isOver());
        // Before it answers: it works on it.
        auto rig = metered();
        (void)rig->ask(post());
        rig->road.cut();
        QCOMPARE(usesOf(*rig), "1: claude-haiku-4-5 " + std::to_string(kBody.size() / 4) + "/0 guessed 0; ");
        // And where it could not begin.
        rig = metered();
        (void)rig->ask(post().substr(0, post().size() - 5));
        rig->road.cut();
        QCOMPARE(usesOf(*rig), std::string("1: claude-haiku-4-5 0/0 0; "));
    }

    void whereTheHostDoesNotAnswer() {
        auto rig = metered();
        (void)rig->ask(post());
        rig->host.leave();
        rig->run();
        QCOMPARE(usesOf(*rig), std::string("1: claude-haiku-4-5 0/0 0; "));
        rig = metered();
        (void)rig->ask(post());
        const auto got = rig->reply("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n");
        QVERIFY(got.starts_with("HTTP/1.1 502"));
        QCOMPARE(usesOf(*rig), std::string("1: claude-haiku-4-5 0/0 0; "));
    }

    void whatCannotBeCountedIsRefused() {
        auto rig = metered();
        const std::string socket = "GET /v1/realtime HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        QVERIFY(rig->ask(socket).empty());
        QVERIFY(rig->program.heard.starts_with("HTTP/1.1 403") && rig->program.heard.find("outcome: uncountable") != std::string::npos);
        QCOMPARE(usesOf(*rig), std::string("1:  0/0 0; "));
        QVERIFY(metered(Meter::Off)->ask(socket).find("Upgrade: websocket") != std::string::npos);
        QVERIFY(metered()->ask(post("/v1/messages/batches")).empty());
    }

    // A host has more than models, and the owner's key opens all of it.
    void onlyAModelIsAsked() {
        for (const char* path : {"/api/pull", "/api/delete", "/api/create", "/api/push", "/api/copy", "/v1/files", "/v1/fine_tuning/jobs", "/v1/images/generations",
                                 "/v1/audio/speech", "/v1/threads/t/messages", "/v1/responses/r/cancel", "/v1beta/models/g:predict", "/v1beta/models/g%3AbatchGenerateContent"}) {
            auto rig = metered();
            QVERIFY2(rig->ask(post(path)).empty(), path);
            QVERIFY2(rig->program.heard.starts_with("HTTP/1.1 403") && rig->program.heard.find("outcome: uncountable") != std::string::npos, path);
            QVERIFY(rig->program.heard.find("only a model may be asked there") != std::string::npos && rig->program.heard.find("a rule for it") != std::string::npos);
            QVERIFY2(!metered(Meter::Off)->ask(post(path)).empty(), path); // at a host that is no model's a rule is what it says
        }
        auto rig = metered(); // and the connection goes on
        QVERIFY(rig->ask("GET /v1/files/f/content HTTP/1.1\r\nHost: example.org\r\n\r\n").empty());
        QVERIFY(!rig->ask("GET /v1/models HTTP/1.1\r\nHost: example.org\r\n\r\n").empty());
    }

    // Of a body that asks for an answer later so little goes on that it is none.
    void anAnswerForLaterIsRefused() {
        const std::string start = "{\"model\":\"m\",\"input\":\"" + std::string(300 * 1024, 'x') + "\",";
        for (const std::string kind : {"false", "true"}) {
            const auto body = start + "\"background\":" + kind + "}";
            for (const bool inChunks : {false, true}) {
                auto rig = metered();
                const auto size = QByteArray::number(qulonglong(body.size()), 16).toStdString();
                const auto sent = rig->ask(inChunks ? "POST /v1/responses HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n" + size + "\r\n" + body + "\r\n0\r\n\r\n"
                                                    : post("/v1/responses", {}, body));
                if (kind == "false") {
                    QVERIFY(sent.find("\"background\":false}") != std::string::npos);
                    continue;
                }
                QVERIFY(sent.find("true") == std::string::npos && sent.find("0\r\n\r\n") == std::string::npos && sent.size() < body.size());
                QVERIFY(rig->program.heard.find("outcome: uncountable") != std::string::npos && rig->program.heard.find("in the background") != std::string::npos);
                QVERIFY(rig->host.sawEnd);
                QCOMPARE(usesOf(*rig), std::string("1: m 0/0 0; "));
            }
        }
        auto packedBody = metered();
        (void)packedBody->ask(post("/v1/responses", "Content-Encoding: gzip\r\n", packed(R"({"background":true})")));
        QVERIFY(packedBody->program.heard.find("cannot be told") != std::string::npos);
    }

    // What is denied was never let through, and nothing is told of it.
    void whatIsDeniedIsNotCounted() {
        auto rig = plainRig();
        rig->decide = [](const AskedRequest&) {
            return RequestAnswer{.verdict = Verdict::Deny, .outcome = "limit", .text = "The budget is used up", .meter = Meter::On};
        };
        QVERIFY(rig->ask(post()).empty() && rig->used.empty());
        QVERIFY(rig->program.heard.find("The budget is used up.\noutcome: limit") != std::string::npos);
    }
};

QTEST_GUILESS_MAIN(TestHttpRoadModels)
#include "test_http_road_models.moc"
