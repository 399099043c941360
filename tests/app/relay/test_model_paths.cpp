// SPDX-License-Identifier: Apache-2.0
// What may be asked of a model host, below whatever base its address has; and everything else it has, that may not.
#include "app/relay/model_paths.h"

#include <QTest>

using namespace carrel;
using namespace carrel::relay;

namespace {

QString why(const std::string& line, const std::string& fields = {}) {
    const auto head = readRequest(line + " HTTP/1.1\r\nHost: api.example.org\r\n" + fields + (line.starts_with("POST") ? "Content-Length: 0\r\n" : "") + "\r\n",
                                  {Scheme::Https, "api.example.org", 443});
    return QString::fromStdString(head ? whyUncountable(*head).value_or("") : "no request: " + head.error().why);
}

} // namespace

class TestModelPaths : public QObject {
    Q_OBJECT
private slots:
    void aModelMayBeAsked() {
        for (const char* line : {"POST /v1/messages", "POST /v1/messages?beta=true", "POST /anthropic/v1/messages/", "POST /v1/messages/count_tokens",
                                 "POST /v1/chat/completions", "POST /openai/v1/chat/completions", "POST /v1beta/openai/chat/completions", "POST /chat/completions",
                                 "POST /v1/completions", "POST /v1/responses", "POST /v1/embeddings", "GET /v1/models", "GET /v1/models?limit=1000",
                                 "GET /openai/v1/models/gpt-6-luna", "GET /v1/models/qwen3:4b", "GET /v1/models/qwen3%3A4b", "POST /v1beta/models/gemini-3.8-flash:generateContent",
                                 "POST /v1beta/models/g:streamGenerateContent?alt=sse", "POST /v1beta/models/g%3AgenerateContent", "POST /v1beta/models/g%3acountTokens",
                                 "POST /v1/projects/p/locations/l/publishers/google/models/g:generateContent", "GET /v1beta/models", "GET /v1beta/models/g", "GET /v1/models/m/",
                                 "POST /api/chat", "POST /api/generate", "POST /api/embed", "POST /api/embeddings", "POST /api/show", "GET /api/tags", "GET /api/version",
                                 "HEAD /", "HEAD /v1/messages", "HEAD /api/tags", "HEAD /v1/models/m"}) {
            QVERIFY2(why(line).isEmpty(), qPrintable(QString(line) + ": " + why(line)));
        }
    }

    void nothingElseMay() {
        for (const char* line :
             {// Of the owner's own disk.
              "POST /api/pull", "DELETE /api/delete", "POST /api/delete", "POST /api/create", "POST /api/push", "POST /api/copy", "POST /api/blobs/sha256:0", "HEAD /api/blobs/sha256:0",
              "GET /api/ps", "POST /api/tags", "GET /api/show", "GET /api/pull",
              // Of the owner's account.
              "GET /v1/files", "POST /v1/files", "GET /v1/files/f/content", "DELETE /v1/models/m", "POST /v1/fine_tuning/jobs", "POST /v1/images/generations", "POST /v1/audio/speech",
              "POST /v1/audio/transcriptions", "POST /v1/moderations", "POST /v1/threads/t/messages", "POST /v1/threads/runs", "GET /v1/responses/r", "POST /v1/responses/r/cancel",
              "GET /v1/organization/usage", "POST /v1/organizations/api_keys", "GET /v1/messages", "PUT /v1/messages", "OPTIONS /v1/messages", "GET /", "POST /", "OPTIONS *",
              // What is done later, or is counted by nobody.
              "POST /v1/messages/batches", "GET /v1/messages/batches", "POST /v1/batches", "POST /v1beta/models/g:batchGenerateContent", "POST /v1beta/models/g%3AbatchGenerateContent",
              "POST /v1beta/models/g%3abatchEmbedContents", "POST /v1beta/models/g:asyncBatchEmbedContent", "POST /v1beta/models/g:predict", "POST /v1beta/models/g:predictLongRunning",
              "POST /v1beta/cachedContents", "POST /upload/v1beta/files", "POST /v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict",
              // What only looks like one.
              "POST /v1/messagesx", "POST /xv1/messages", "POST /v1/xcompletions", "POST /v1/files?x=/v1/messages", "POST /v1%2Fmessages", "POST /v1/messages//", "POST /v1/messages%2F",
              "POST /v1/messages;x", "POST /v1beta/models/g:predict:generateContent", "POST /v1beta/models/g:predict%253AgenerateContent", "POST /v1beta/models/g:predict%2F:generateContent",
              "POST /v1beta/models/:generateContent", "POST /v1beta/models/generateContent", "POST /v1beta/models/g:GenerateContent", "POST /v1beta/xmodels/g:generateContent",
              "POST /v1beta/models", "POST /v1beta/models/g", "GET /v1/models/m/permissions"}) {
            QVERIFY2(why(line).contains("only a model may be asked there"), qPrintable(QString(line) + ": " + why(line)));
        }
    }

    void whatIsNotWhatItSeems() {
        QVERIFY(why("GET /v1/realtime", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n").contains("WebSocket"));
        for (const char* field : {"X-HTTP-Method-Override", "x-http-method", "X-Method-Override"}) {
            QVERIFY2(why("GET /v1/models/m", std::string(field) + ": DELETE\r\n").contains("method"), field);
        }
    }

    void whatCounts() {
        QVERIFY(modelRequestOf("POST", "/v1/messages") == ModelRequest::Answers && modelRequestOf("POST", "/v1/messages/count_tokens") == ModelRequest::Tells);
        QVERIFY(modelRequestOf("POST", "/api/embed") == ModelRequest::Answers && modelRequestOf("POST", "/api/show") == ModelRequest::Tells);
        QVERIFY(modelRequestOf("POST", "/v1beta/models/g%3AstreamGenerateContent") == ModelRequest::Answers && modelRequestOf("GET", "/v1/models/m") == ModelRequest::Tells);
        QVERIFY(modelRequestOf("HEAD", "/v1/messages") == ModelRequest::Tells && !modelRequestOf("HEAD", "/v1/files") && !modelRequestOf("post", "/v1/messages"));
        QCOMPARE(modelNamedBy("/v1beta/models/g%3AgenerateContent"), std::string("g"));
        QCOMPARE(modelNamedBy("/v1beta/models/g:generateContent"), std::string("g"));
        QVERIFY(modelNamedBy("/v1/models/m").empty() && modelNamedBy("/v1/messages").empty() && modelNamedBy("models/x:y").empty());
    }
};

QTEST_GUILESS_MAIN(TestModelPaths)
#include "test_model_paths.moc"
