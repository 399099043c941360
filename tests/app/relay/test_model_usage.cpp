// SPDX-License-Identifier: Apache-2.0
// What a model used, as the host's own answer tells it: in each of the forms, in whatever pieces, and what is made of an answer that
// tells nothing, breaks off, or lies.
#include "tests/app/relay/packing.h"

#include "app/relay/model_usage.h"

#include <QTest>

using namespace carrel;
using namespace carrel::relay;
using relay::test::packed;

namespace {

std::string sse(const std::string& data) {
    return "data: " + data + "\n\n";
}

const std::string kAnthropicStream =
    "event: message_start\n" +
    sse(R"({"type":"message_start","message":{"id":"m","role":"assistant","model":"claude-sonnet-5-5","content":[],"stop_reason":null,)"
          R"("usage":{"input_tokens":25,"cache_creation_input_tokens":100,"cache_read_input_tokens":3000,"output_tokens":1}}})") +
    "event: ping\n" + sse(R"({"type":"ping"})") + "event: content_block_delta\n" +
    sse(R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Sorted all of them."}})") + "event: message_delta\n" +
    sse(R"({"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":150}})") +
    "event: message_stop\n" + sse(R"({"type":"message_stop"})");
const std::string kAnthropicWhole = R"({"id":"m","model":"claude-opus-5-5","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn",)"
                                    R"("usage":{"input_tokens":2095,"cache_creation_input_tokens":0,"cache_read_input_tokens":7,"output_tokens":503}})";
const std::string kChatStream =
    sse(R"({"id":"c","model":"gpt-6-luna","choices":[{"index":0,"delta":{"role":"assistant","content":"Eight ch"},"finish_reason":null}],"usage":null})") +
    sse(R"({"id":"c","model":"gpt-6-luna","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null})") +
    sse(R"({"id":"c","model":"gpt-6-luna","choices":[],"usage":{"prompt_tokens":1200,"completion_tokens":40,"total_tokens":1240,)"
          R"("prompt_tokens_details":{"cached_tokens":1024,"cache_write_tokens":100},"completion_tokens_details":{"reasoning_tokens":8}}})") +
    sse("[DONE]");
const std::string kChatWithout = kChatStream.substr(0, kChatStream.find(R"(data: {"id":"c","model":"gpt-6-luna","choices":[],)")) + sse("[DONE]");
const std::string kResponses =
    "event: response.created\n" + sse(R"({"type":"response.created","response":{"id":"r","model":"gpt-6.1-sol","usage":null}})") +
    "event: response.output_text.delta\n" + sse(R"({"type":"response.output_text.delta","delta":"Four"})") + "event: response.completed\n" +
    sse(R"({"type":"response.completed","response":{"id":"r","model":"gpt-6.1-sol","usage":{"input_tokens":500,)"
          R"("input_tokens_details":{"cached_tokens":200},"output_tokens":60,"output_tokens_details":{"reasoning_tokens":50}}}})");
const std::string kGemini =
    sse(R"({"candidates":[{"content":{"parts":[{"text":"So"}]}}],"usageMetadata":{"promptTokenCount":90,"candidatesTokenCount":1,"thoughtsTokenCount":30},"modelVersion":"gemini-3.8-flash"})") +
    sse(R"({"candidates":[{"content":{"parts":[{"text":" be it"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":90,)"
          R"("cachedContentTokenCount":10,"candidatesTokenCount":12,"thoughtsTokenCount":40,"toolUsePromptTokenCount":5},"modelVersion":"gemini-3.8-flash"})");
const std::string kOllama = R"({"model":"qwen3:4b","message":{"content":"Yes"},"done":false})"
                            "\n"
                            R"({"model":"qwen3:4b","done":true,"done_reason":"stop","prompt_eval_count":26,"eval_count":298})"
                            "\n";

struct Case {
    std::string method = "POST", path = "/v1/messages";
    std::string request = R"({"model":"asked-for","stream":true})";
    int status = 200;
    Fields fields;
    std::string answer;
    ModelUsage::End end = ModelUsage::End::Whole;
};
ModelUse used(const Case& of, std::size_t piece = SIZE_MAX) {
    ModelUsage usage(of.method, of.path);
    for (std::size_t at = 0; at < of.request.size(); at += std::min(piece, of.request.size())) {
        usage.request(asBytes(std::string_view(of.request).substr(at, piece)));
    }
    if (of.status != 0) {
        usage.response(of.status, of.fields);
    }
    for (std::size_t at = 0; at < of.answer.size(); at += std::min(piece, of.answer.size())) {
        usage.response(asBytes(std::string_view(of.answer).substr(at, piece)));
    }
    return usage.finish(of.end);
}
// model input/output/read/write, and whether it is a guess.
std::string textOf(const ModelUse& use) {
    return use.model + " " + std::to_string(use.input) + "/" + std::to_string(use.output) + "/" + std::to_string(use.cacheRead) + "/" +
           std::to_string(use.cacheWrite) + (use.counted == ModelUse::Counted::Estimated ? " guessed" : "");
}
std::string usedText(const Case& of) {
    return textOf(used(of));
}
std::string in(const std::string& path, const std::string& answer) {
    return usedText({.path = path, .fields = {}, .answer = answer});
}

} // namespace

class TestModelUsage : public QObject {
    Q_OBJECT
private slots:
    void whatEachTells() {
        QCOMPARE(in("/v1/messages", kAnthropicStream), std::string("claude-sonnet-5-5 25/150/3000/100"));
        QCOMPARE(in("/v1/messages", kAnthropicWhole), std::string("claude-opus-5-5 2095/503/7/0"));
        QCOMPARE(in("/v1/chat/completions", kChatStream), std::string("gpt-6-luna 76/40/1024/100"));
        QCOMPARE(in("/v1/responses", kResponses), std::string("gpt-6.1-sol 300/60/200/0"));
        QCOMPARE(in("/v1beta/models/gemini-3.8-flash:streamGenerateContent", kGemini), std::string("gemini-3.8-flash 85/52/10/0"));
        QCOMPARE(in("/api/chat", kOllama), std::string("qwen3:4b 26/298/0/0"));
        // Whole, and not as events.
        QCOMPARE(in("/v1/chat/completions", R"({"model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2.0}})"), std::string("m 7/2/0/0"));
        QCOMPARE(in("/v1/responses", R"({"model":"m","usage":{"input_tokens":70,"input_tokens_details":{"cached_tokens":64},"output_tokens":2}})"),
                 std::string("m 6/2/64/0"));
        QCOMPARE(in("/v1beta/models/g:generateContent", R"([{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4}}])"), std::string("g 3/4/0/0"));
        QCOMPARE(in("/v1/embeddings", R"({"model":"e","data":[{"embedding":[0.1,-2e9]}],"usage":{"prompt_tokens":8,"total_tokens":8}})"), std::string("e 8/0/0/0"));
    }

    // However it comes, and however its lines end.
    void inWhateverPieces() {
        for (const auto& answer : {kAnthropicStream, kAnthropicWhole, kChatStream, kChatWithout, kResponses, kGemini, kOllama}) {
            const auto whole = in("/v1/messages", answer);
            for (std::size_t piece = 1; piece <= 40; ++piece) {
                QCOMPARE(textOf(used({.fields = {}, .answer = answer}, piece)), whole);
            }
            for (const char* end : {"\r", "\r\n"}) {
                auto other = QByteArray::fromStdString(answer).replace("\n", end).toStdString();
                QCOMPARE(textOf(used({.fields = {}, .answer = "\xef\xbb\xbf" + other}, 7)), whole);
            }
        }
    }

    // Broken off after any byte: never more than was told of the whole but for what a guess adds, and a guess until it is told.
    void cutAtEveryByte() {
        for (const auto& [path, answer] : {std::pair<std::string, std::string>{"/v1/messages", kAnthropicStream}, {"/v1/chat/completions", kChatStream},
                                           {"/v1/responses", kResponses}, {"/v1beta/models/g:streamGenerateContent", kGemini}}) {
            const auto whole = used({.path = path, .fields = {}, .answer = answer});
            bool told = false;
            for (std::size_t size = 0; size <= answer.size(); ++size) {
                const auto use = used({.path = path, .fields = {}, .answer = answer.substr(0, size), .end = ModelUsage::End::Cut});
                const bool isTold = use.counted == ModelUse::Counted::Told;
                QVERIFY2(isTold || !told, std::to_string(size).c_str()); // once it is known, it is
                told = isTold;
                QVERIFY(use.output <= whole.output && use.input <= whole.input + whole.cacheRead + whole.cacheWrite);
                QVERIFY2(!isTold || use.output == whole.output, (path + " " + std::to_string(size) + ": " + textOf(use)).c_str());
            }
            QVERIFY(told);
            QVERIFY(textOf(used({.path = path, .fields = {}, .answer = answer, .end = ModelUsage::End::Cut})) == textOf(whole));
        }
    }

    void whereNothingIsToldItIsGuessed() {
        const std::string asked = R"({"model":"gpt-6-luna","stream":true,"messages":[{"role":"user","content":"How many sheets?"}]})"; // 92 bytes
        Case of{.path = "/v1/chat/completions", .request = asked, .fields = {}, .answer = kChatWithout};
        QCOMPARE(usedText(of), "gpt-6-luna " + std::to_string(asked.size() / 4) + "/2/0/0 guessed"); // "Eight ch"
        // What was told of the input stays, of the output it was not yet all.
        of = {.fields = {}, .answer = kAnthropicStream.substr(0, kAnthropicStream.find("event: message_delta")), .end = ModelUsage::End::Cut};
        QCOMPARE(usedText(of), std::string("claude-sonnet-5-5 25/4/3000/100 guessed")); // "Sorted all of them."
        // It has not begun to answer: it works on it all the same.
        of = {.status = 0, .fields = {}, .answer = {}, .end = ModelUsage::End::Cut};
        QCOMPARE(usedText(of), "asked-for " + std::to_string(of.request.size() / 4) + "/0/0/0 guessed");
        // What makes vectors tells nothing at Ollama's, and a method may be spelled in two ways.
        QCOMPARE(in("/api/embeddings", R"({"embedding":[0.5,2]})"), std::string("asked-for 8/0/0/0 guessed"));
        QCOMPARE(in("/v1beta/models/g%3AgenerateContent", "{not json, but long enough to cost}"), std::string("g 8/8/0/0 guessed"));
        // Tool calls are said, too, and so is what no JSON can be.
        QCOMPARE(in("/v1/messages", sse(R"({"delta":{"partial_json":"{\"a\":1}x"}})")).substr(10), std::string("8/2/0/0 guessed"));
        QCOMPARE(in("/v1/messages", R"({"content":[{"input":{"path":"/home/ada/all","deep":{"text":"abcdefg"}}}]})").substr(10), std::string("8/5/0/0 guessed"));
        QCOMPARE(in("/v1/messages", "{\"content\":[{\"text\":\"never ends").substr(10), std::string("8/2/0/0 guessed"));
        QCOMPARE(in("/v1/messages", "{not json, but long enough to cost}").substr(10), std::string("8/8/0/0 guessed"));
    }

    void whatIsNoAnswerOfAModelsCountsNothing() {
        for (const auto& [method, path, answer] : std::vector<std::array<std::string, 3>>{
                 {"GET", "/v1/models", R"({"data":[{"id":"m"}]})"},
                 {"POST", "/v1/messages/count_tokens", R"({"input_tokens":2095})"},
                 {"POST", "/v1/files", R"({"id":"f","bytes":120})"},
                 {"POST", "/api/show", R"({"license":"MIT"})"},
                 {"GET", "/", "<html>data: none</html>"},
                 {"HEAD", "/v1/messages", ""}}) {
            QCOMPARE(usedText({.method = method, .path = path, .request = {}, .fields = {}, .answer = answer}), std::string(" 0/0/0/0"));
        }
        // Nor an error's, whatever it says, and where the host never had the request.
        for (const int status : {301, 400, 401, 429, 500, 529}) {
            const auto use = used({.status = status, .fields = {}, .answer = kAnthropicWhole});
            QCOMPARE(textOf(use), std::string("asked-for 0/0/0/0"));
            QCOMPARE(use.status, status);
        }
        QCOMPARE(usedText({.status = 0, .fields = {}, .answer = {}, .end = ModelUsage::End::Refused}), std::string("asked-for 0/0/0/0"));
        // Fetched later: what is told counts, and nothing is guessed.
        QCOMPARE(usedText({.method = "GET", .path = "/v1/responses/r", .request = {}, .fields = {}, .answer = R"({"model":"m","usage":{"input_tokens":7,"output_tokens":9}})"}),
                 std::string("m 7/9/0/0"));
    }

    void whatIsPacked() {
        const auto with = [](const std::string& coding, std::string body) {
            return usedText({.fields = {{"Content-Encoding", coding}}, .answer = std::move(body)});
        };
        QCOMPARE(with("gzip", packed(kAnthropicStream)), std::string("claude-sonnet-5-5 25/150/3000/100"));
        QCOMPARE(with("deflate", packed(kAnthropicWhole, relay::test::kZlibBits)), std::string("claude-opus-5-5 2095/503/7/0"));
        QCOMPARE(with("identity", kAnthropicWhole), std::string("claude-opus-5-5 2095/503/7/0"));
        QCOMPARE(with("br", std::string(400, '\x8b')), std::string("asked-for 8/400/0/0 guessed"));
        QCOMPARE(with("gzip", "not gzip"), std::string("asked-for 8/8/0/0 guessed"));
        const auto bomb = packed(std::string(100'000'000, ' '));
        const auto use = used({.fields = {{"Content-Encoding", "gzip"}}, .answer = bomb}, 4096);
        QVERIFY(use.counted == ModelUse::Counted::Estimated && use.output <= bomb.size());
    }

    void hugeAndHostileNumbers() {
        const auto usage = [](const std::string& number) {
            return in("/v1/messages", R"({"model":"m","usage":{"input_tokens":5,"output_tokens":)" + number + "}}");
        };
        QCOMPARE(usage("9007199254740992"), std::string("m 5/9007199254740992/0/0"));
        for (const char* bad : {"9007199254740993", "18446744073709551616", "-1", "1e300", "0.5", "\"7\"", "null", "[[]]", "{}", "1e-400"}) {
            const auto text = usage(bad);
            QVERIFY2(text == "m 5/0/0/0" , text.c_str());
        }
        const std::string most = "9007199254740992";
        QCOMPARE(in("/v1beta/models/g:generateContent", R"({"usageMetadata":{"promptTokenCount":)" + most + R"(,"cachedContentTokenCount":)" + most +
                                                            R"(,"candidatesTokenCount":)" + most + R"(,"thoughtsTokenCount":)" + most +
                                                            R"(,"toolUsePromptTokenCount":)" + most + "}}"),
                 "g " + most + "/" + most + "/" + most + "/0");
        // More is cached than there is; the same told twice; a key that is two in one; one too deep, or too long.
        QCOMPARE(in("/v1/chat/completions", R"({"model":"m","usage":{"prompt_tokens":5,"completion_tokens":1,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":9}}})"),
                 std::string("m 0/3/5/0"));
        QCOMPARE(in("/v1/messages", R"({"usage.output_tokens":7,"usage":{"input_tokens":1}})"), std::string("asked-for 1/0/0/0"));
        QCOMPARE(in("/v1/models", std::string(100, '[') + R"({"usage":{"input_tokens":1,"output_tokens":1}})" + std::string(100, ']')), std::string("asked-for 0/0/0/0"));
        QCOMPARE(in("/v1/messages", R"({")" + std::string(100'000, 'k') + R"(":1,"model":")" + std::string(4000, 'n') + R"(","usage":{"input_tokens":1,"output_tokens":1}})"),
                 std::string(kMaxModelName, 'n') + " 1/1/0/0");
        QCOMPARE(in("/v1/messages", "{\"model\":\"a\\u001b[31m\\u00e9 b\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}"), std::string("a?[31m???b 1/1/0/0"));
        // An event that is never ended by an empty line, and fields that are none.
        QCOMPARE(in("/v1/messages", "data:{\"usage\":{\"input_tokens\":1,\ndata: \"output_tokens\":2}}\ndatax: {\"usage\":{\"output_tokens\":9}}\nid: 5"),
                 std::string("asked-for 1/2/0/0"));
    }

    // It is told before the piece in which it stands has gone on, and what cannot be read may hide it.
    void anAnswerForLaterIsSeenInTheBody() {
        const auto why = [](const std::string& body, const std::string& path = "/v1/responses") {
            std::string all;
            for (std::size_t piece = 1; piece <= body.size() + 1; piece += piece == 1 ? 6 : body.size()) {
                ModelUsage usage("POST", path);
                for (std::size_t at = 0; at < body.size() && !usage.whyNotOn(); at += piece) {
                    usage.request(asBytes(std::string_view(body).substr(at, piece)));
                }
                all += usage.whyNotOn().value_or("");
            }
            return QString::fromStdString(all);
        };
        for (const char* body : {R"({"model":"m","background":true})", R"({"background":true,"background":false})", R"({"backgro\u0075nd" : true})",
                                 R"({"Background":true})", R"({"background":1})", R"({"background":"true"})", R"([{"background":true}])",
                                 R"({"background":false}{"background":true})"}) {
            QVERIFY2(why(body).contains("in the background cannot be counted"), body);
        }
        for (const char* body : {"\xef\xbb\xbf{\"background\":true}", "{background:true}", "background=true", "{\"a\":1,}", "\x1f\x8b\x08\x01"}) {
            QVERIFY2(why(body).contains("cannot be told"), body);
        }
        QVERIFY(why("{\"a\":" + std::string(100, '[') + std::string(100, ']') + R"(,"background":true})").contains("cannot be told"));
        for (const char* body : {R"({"model":"m","background":false,"stream":true})", R"({"background":null})", R"({"metadata":{"background":true}})",
                                 R"({"tools":[{"parameters":{"properties":{"background":{"type":"string"}}}}]})",
                                 "{\"input\":\"\\\"background\\\":true\"}", ""}) {
            QVERIFY2(why(body).isEmpty(), body);
        }
        QVERIFY(why(R"({"background":true})", "/v1/messages").isEmpty() && why("{bad", "/v1/chat/completions").isEmpty());
        QVERIFY(why(R"({"background":true})", "/openai/v1/responses/").contains("background"));
    }
};

QTEST_GUILESS_MAIN(TestModelUsage)
#include "test_model_usage.moc"
