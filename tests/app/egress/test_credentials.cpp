// SPDX-License-Identifier: Apache-2.0
// What may be told of a credential, what stands for it, and how its value is kept: invariant I6.
#include "app/egress/credentials/agent_credentials.h"
#include "tests/app/egress/memory_store.h"

#include <QTest>
#include <boost/json.hpp>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <sys/stat.h>

using namespace carrel;
using namespace carrel::egress;
using namespace carrel::egress::test;
namespace fs = std::filesystem;

namespace {

template <class T>
concept Printed = requires(std::ostream& out, const T& value) { out << value; };

std::string textIn(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

Result<Secret> credentialOf(std::string_view text) {
    return Secret::ofCredential(relay::secretText(text));
}

} // namespace

class TestCredentials : public QObject {
    Q_OBJECT
private slots:
    // Invariant I6, by the type: there is no way from it to a text but reveal(), and each place that calls it is named here.
    void aSecretHasNoWayOut() {
        static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
        static_assert(!std::is_convertible_v<Secret, std::string_view> && !std::is_convertible_v<Secret, std::string>);
        static_assert(!std::is_constructible_v<boost::json::value, Secret> && !std::is_constructible_v<boost::json::value, const Secret&>);
        static_assert(!Printed<Secret>);
        const std::map<std::string, int> allowed{{"app/agents/agent_recordings.cpp", 1},              // into what tells a recorder what to mask, and no secret
                                                 {"app/desktop/keyring_secrets.cpp", 1},             // into the keyring
                                                 {"app/egress/credentials/credential.cpp", 3},       // into the header field
                                                 {"app/egress/credentials/placeholder.cpp", 1},      // its shape
                                                 {"app/egress/credentials/sealed_file.cpp", 2},      // sealed, and the passphrase's key
                                                 {"app/egress/egress_request.cpp", 1}};              // into the pipe to the clerk
        std::map<std::string, int> found;
        const fs::path root(CARREL_SOURCE_DIR);
        for (const auto& entry : fs::recursive_directory_iterator(root / "app")) {
            if (entry.path().extension() == ".cpp" || entry.path().extension() == ".h") {
                const auto text = textIn(entry.path());
                static const std::regex call(R"([.>]reveal\(\))");
                const auto count = std::distance(std::sregex_iterator(text.begin(), text.end(), call), std::sregex_iterator());
                if (count > 0) {
                    found[fs::relative(entry.path(), root).string()] = static_cast<int>(count);
                }
            }
        }
        for (const auto& [file, count] : found) {
            QVERIFY2(allowed.contains(file) && allowed.at(file) == count, (file + " reveals a secret " + std::to_string(count) + " times").c_str());
        }
        QCOMPARE(found.size(), allowed.size());
    }
    void whatCanBeAValue() {
        QCOMPARE(credentialOf("12345678\r\n")->size(), std::size_t{8});
        for (const std::string bad : {"", "1234567", " 12345678", "12345678 ", "1234\n5678", "12345678\n\n", "1234\x7f""5678", "1234\xc3\xa4""5678"}) {
            const auto made = credentialOf(bad);
            QVERIFY2(!made && made.error().code == ErrorCode::InvalidArgument, bad.c_str());
            QVERIFY(bad.empty() || made.error().text().find("1234") == std::string::npos);
        }
        QVERIFY(!credentialOf(std::string(kMaxSecretBytes + 1, 'x')));
        QVERIFY(credentialOf(std::string(kMaxSecretBytes, 'x')));
    }
    void shapes_data() {
        QTest::addColumn<QString>("value");
        QTest::addColumn<QString>("prefix");
        QTest::addColumn<int>("length");
        QTest::addColumn<QString>("letters");
        QTest::newRow("a model's") << kValue << "sk-ant-" << 37 << "alphanumeric";
        QTest::newRow("another model's") << "sk-abcdefghijklmnop0123_X" << "sk-" << 25 << "url-safe";
        QTest::newRow("a short one of a known kind") << "npm_1234" << "npm_" << 20 << "hex";
        QTest::newRow("of a host of sources") << QString("ghp_" + QString(36, 'Q')) << "ghp_" << 40 << "alphanumeric";
        QTest::newRow("fine-grained") << QString("github_pat_" + QString(82, 'Q')) << "github_pat_" << 93 << "alphanumeric";
        QTest::newRow("another") << "glpat-0123456789abcdefghij" << "glpat-" << 26 << "alphanumeric";
        QTest::newRow("a chat's") << "xoxb-0123456789-abcdefghijk" << "xoxb-" << 27 << "url-safe";
        QTest::newRow("hexadecimal") << "0123456789abcdef0123456789abcde" << "" << 32 << "hex";
        QTest::newRow("a short one") << "secret/!" << "" << 20 << "url-safe";
        QTest::newRow("a long one") << QString(1000, 'Z') << "" << 256 << "alphanumeric";
    }
    void shapes() {
        QFETCH(QString, value);
        QFETCH(QString, prefix);
        QFETCH(int, length);
        QFETCH(QString, letters);
        const auto shape = shapeOf(secretOf(value.toStdString()));
        QCOMPARE(QString::fromStdString(shape.prefix), prefix);
        QCOMPARE(static_cast<int>(shape.length), length);
        QCOMPARE(std::string(toString(shape.letters)), letters.toStdString());
        QVERIFY(isShape(shape));
        const auto one = newPlaceholder(shape).value(), other = newPlaceholder(shape).value();
        QVERIFY(one != other && one.size() == shape.length && one.starts_with(shape.prefix) && one != value.toStdString());
        const std::map<std::string, std::regex> kinds{{"hex", std::regex("[0-9a-f]*")}, {"alphanumeric", std::regex("[0-9A-Za-z]*")}, {"url-safe", std::regex("[-_0-9A-Za-z]*")}};
        QVERIFY2(std::regex_match(one.substr(shape.prefix.size()), kinds.at(letters.toStdString())), one.c_str());
    }
    void whatCanBeACredential() {
        const auto good = BookWorld::wanted();
        QVERIFY(check(good));
        const auto bad = [&](auto change) {
            auto one = good;
            change(one);
            const auto out = check(one);
            return !out && out.error().code == ErrorCode::InvalidArgument && !out.error().hint.empty();
        };
        for (const char* name : {"", "A", "a b", "../a", "a/b"}) {
            QVERIFY2(bad([&](Credential& one) { one.name = name; }), name);
        }
        for (const char* host : {"", "*.example.org", "EXAMPLE.org", "example.org:443", "127.0.0.1", "example.org/a"}) {
            QVERIFY2(bad([&](Credential& one) { one.hosts = {host}; }), host);
        }
        QVERIFY(bad([](Credential& one) { one.hosts.clear(); }));
        for (const char* header : {"", "Host", "content-length", "Cookie", "X Y", "X:Y", "Transfer-Encoding"}) {
            QVERIFY2(bad([&](Credential& one) { one.header = header; }), header);
        }
        for (const char* format : {"", "Bearer", "{} {}", "Bearer {}\r\nX: y", " {}"}) {
            QVERIFY2(bad([&](Credential& one) { one.format = format; }), format);
        }
        for (const char* path : {"", "api", "/a*b", "/*/a", "/a/../b", "/a?b"}) {
            QVERIFY2(bad([&](Credential& one) { one.paths = {path}; }), path);
        }
        QVERIFY(bad([](Credential& one) { one.methods = {"get"}; }));
        QVERIFY(bad([](Credential& one) { one.basicUser = "a:b"; }));
        QVERIFY(bad([](Credential& one) { one.variable = "1A"; }));
        QVERIFY(bad([](Credential& one) { one.variable = "A=B"; }));
    }
    void whereItReaches() {
        auto one = BookWorld::wanted();
        QVERIFY(reaches(one, "DELETE", "/"));
        one.methods = {"GET", "POST"};
        one.paths = {"/api/*", "/me"};
        QVERIFY(reaches(one, "GET", "/api/") && reaches(one, "POST", "/api/a/b") && reaches(one, "GET", "/me"));
        QVERIFY(!reaches(one, "PUT", "/api/a") && !reaches(one, "GET", "/api") && !reaches(one, "GET", "/apis/a") && !reaches(one, "GET", "/me/x"));
    }
    void howItIsWritten() {
        auto one = BookWorld::wanted();
        const auto value = secretOf("12345678");
        const auto text = [&] { return std::string(relay::view(headerValue(one, value))); };
        QCOMPARE(text(), std::string("Bearer 12345678"));
        one.format = "{}";
        QCOMPARE(text(), std::string("12345678"));
        one.format = "token={}; v=1";
        QCOMPARE(text(), std::string("token=12345678; v=1"));
        one.basicUser = "ada";
        QCOMPARE(text(), std::string("Basic YWRhOjEyMzQ1Njc4"));
    }

    void aSealedFile() {
        BookWorld w;
        const auto file = w.folder / "sealed";
        const auto word = Secret::ofPassphrase(relay::secretText("correct horse\n")).value();
        const auto wrong = Secret::ofPassphrase(relay::secretText("correct horses")).value();
        {
            SealedFile sealed(file, kCheap);
            QVERIFY(*sealed.standing() == SecretStore::Standing::Absent);
            QVERIFY(!sealed.keep("models", secretOf(kValue)) && !fs::exists(file));
            QVERIFY(sealed.unlock(word));
            QVERIFY(!sealed.unlock(wrong) && *sealed.standing() == SecretStore::Standing::Ready); // the file has one by now
            QVERIFY(sealed.keep("models", secretOf(kValue)) && sealed.keep("other", secretOf("another value")));
            QCOMPARE(std::string(sealed.load("models")->reveal()), std::string(kValue));
            const auto before = textIn(file);
            QVERIFY(sealed.keep("other", secretOf("another value")));
            QVERIFY(textIn(file) != before); // another nonce
        }
        struct stat what {};
        QVERIFY(::stat(file.c_str(), &what) == 0 && (what.st_mode & 0777U) == 0600U);
        const auto text = textIn(file);
        QVERIFY(text.find(kValue) == std::string::npos && text.find("models") == std::string::npos && text.find("horse") == std::string::npos);
        SealedFile sealed(file, kCheap);
        QVERIFY(*sealed.standing() == SecretStore::Standing::Locked);
        QVERIFY(sealed.load("models").error().code == ErrorCode::Unavailable && sealed.load("models").error().hint.find("unlock") != std::string::npos);
        const auto refused = sealed.unlock(wrong);
        QVERIFY(!refused && refused.error().code == ErrorCode::Refused && *sealed.standing() == SecretStore::Standing::Locked);
        QVERIFY(sealed.unlock(word));
        QCOMPARE(std::string(sealed.load("other")->reveal()), std::string("another value"));
        QVERIFY(sealed.remove("other") && sealed.load("other").error().code == ErrorCode::NotFound && sealed.load("models"));
        sealed.lock();
        QVERIFY(!sealed.load("models"));
        // Each byte of it counts.
        const auto whole = textIn(file);
        for (const auto at : {std::size_t{16}, whole.find('\n') - 2, whole.find('\n') + 3, whole.size() - 3}) {
            auto other = whole;
            other[at] = other[at] == '1' ? '2' : '1';
            std::ofstream(file, std::ios::binary) << other;
            SealedFile changed(file, kCheap);
            QVERIFY2(!changed.unlock(word) || !changed.load("models"), std::to_string(at).c_str());
        }
        // One that says more than any computer has is not tried.
        std::ofstream(file, std::ios::binary) << "carrel-sealed-1 40" + whole.substr(whole.find(' ', 16));
        QVERIFY(SealedFile(file, kCheap).unlock(word).error().code == ErrorCode::Malformed);
    }
    void theBook() {
        BookWorld w;
        unsigned changes = 0;
        w.book->onChange([&] { ++changes; });
        auto wanted = w.wanted();
        wanted.agents = {"ann"};
        wanted.variable = "API_KEY";
        (void)w.add(wanted);
        QCOMPARE(changes, 1U);
        QCOMPARE(w.memory.values.at("models"), std::string(kValue));
        QVERIFY(textIn(w.folder / "credentials.json").find("0123456789") == std::string::npos);
        QVERIFY(w.book->add(wanted, secretOf(kValue)).error().code == ErrorCode::AlreadyExists);
        auto sameVariable = w.wanted("other");
        sameVariable.variable = "API_KEY";
        QVERIFY(w.book->add(sameVariable, secretOf(kValue)).error().code == ErrorCode::AlreadyExists);
        sameVariable.agents = {"bob"};
        (void)w.add(sameVariable);
        QCOMPARE(w.book->boundTo("here.example", "ann")->size(), std::size_t{1});
        QVERIFY(w.book->boundTo("here.example", "eve")->empty() && w.book->boundTo("there.example", "ann")->empty());
        w.now += 120'000;
        w.book->used("models");
        const auto again = w.make();
        QCOMPARE(again->find("models")->usedMs, w.now);
        QCOMPARE(toJson(*again->find("models")), toJson(*w.book->find("models")));
        QCOMPARE(std::string(again->value(*again->find("models"))->reveal()), std::string(kValue));
        const auto gone = w.book->remove("models");
        QVERIFY(gone && !gone->left && !w.memory.values.contains("models") && !w.book->find("models"));
        QVERIFY(w.book->remove("models").error().code == ErrorCode::NotFound);
    }
    // Neither counts where it could not be written down before (invariant I5).
    void theBookAsksFirst() {
        BookWorld w;
        const auto no = [](const Credential&) -> Status { return fail(ErrorCode::Io, "the disk is full"); };
        QVERIFY(!w.book->add(w.wanted(), secretOf(kValue), no) && w.memory.values.empty() && w.book->list()->empty());
        (void)w.add(w.wanted());
        QVERIFY(!w.book->remove("models", no) && w.memory.values.size() == 1 && w.book->list()->size() == 1);
    }
    // Never plain, and never elsewhere because a keyring is locked for a moment.
    void whereAValueIsPut() {
        BookWorld w;
        w.memory.silent = true;
        QVERIFY(w.book->add(w.wanted(), secretOf(kValue)).error().code == ErrorCode::Unavailable);
        QVERIFY(!w.book->place()); // which is said before anybody types one
        w.memory.silent = false;
        QVERIFY(w.book->place().value() == Keeper::Keyring);
        w.memory.there = false;
        QVERIFY(w.book->place().value() == std::nullopt);
        const auto none = w.book->add(w.wanted(), secretOf(kValue));
        QVERIFY(!none && none.error().hint.find("credential unlock") != std::string::npos);
        QVERIFY(w.book->unlock(Secret::ofPassphrase(relay::secretText("correct horse")).value()));
        QVERIFY(w.book->place().value() == Keeper::SealedFile);
        QVERIFY(w.add(w.wanted()).keeper == Keeper::SealedFile && w.memory.values.empty());
        w.memory.there = true; // it stays where it is
        QCOMPARE(std::string(w.book->value(*w.book->find("models"))->reveal()), std::string(kValue));
        QVERIFY(w.add(w.wanted("other")).keeper == Keeper::Keyring);
        w.book->lock();
        const auto gone = w.book->remove("models");
        QVERIFY(gone && gone->left);
    }
    void aListThatCannotBeRead() {
        BookWorld w;
        (void)w.add(w.wanted());
        auto text = textIn(w.folder / "credentials.json");
        std::ofstream(w.folder / "credentials.json") << text.replace(text.find("here.example"), 12, "HERE.example");
        const auto again = w.make();
        QVERIFY(!again->list() && !again->boundTo("here.example", "ann") && !again->add(w.wanted("other"), secretOf(kValue)));
        QVERIFY(textIn(w.folder / "credentials.json") == text); // it is not written over
    }
    void whatAnAgentHas() {
        BookWorld w;
        auto wanted = w.wanted();
        wanted.agents = {"ann"};
        wanted.variable = "API_KEY";
        (void)w.add(wanted);
        (void)w.add(w.wanted("other"), "0123456789abcdef");
        fs::create_directory(w.folder / "ann");
        fs::create_directory(w.folder / "bob");
        AgentCredentials ann(*w.book, "ann", "ann", w.folder / "ann"), bob(*w.book, "bob", "bob", w.folder / "bob");
        const auto first = *ann.placeholders();
        QCOMPARE(first.size(), std::size_t{2});
        QVERIFY(first[0].text.starts_with("sk-ant-") && first[0].text != kValue);
        QCOMPARE(*ann.environment(), (std::map<std::string, std::string>{{"API_KEY", first[0].text}}));
        QCOMPARE(AgentCredentials(*w.book, "ann", "ann", w.folder / "ann").placeholders()->at(0).text, first[0].text);
        QCOMPARE(bob.placeholders()->size(), std::size_t{1});
        QVERIFY(bob.placeholders()->at(0).text != first[1].text && bob.environment()->empty());
        // One of the same name that comes later is another one.
        (void)w.book->remove("models");
        QCOMPARE(ann.placeholders()->size(), std::size_t{1});
        w.now += 1;
        (void)w.add(wanted);
        QVERIFY(ann.placeholders()->at(1).text != first[0].text);
    }
    void anAgentsAuthority() {
        BookWorld w;
        AgentCredentials ann(*w.book, "ann", "ann", w.folder);
        const auto made = ann.authority();
        QVERIFY2(made, made ? "" : made.error().text().c_str());
        const auto again = AgentCredentials(*w.book, "ann", "ann", w.folder).authority();
        QVERIFY(again && again->certificatePem == made->certificatePem && again->keyPem == made->keyPem);
        struct stat what {};
        QVERIFY(::stat((w.folder / "authority.key").c_str(), &what) == 0 && (what.st_mode & 0777U) == 0600U);
        QVERIFY(::chmod((w.folder / "authority.key").c_str(), 0644) == 0);
        ann.newMachine();
        QVERIFY(ann.authority().error().code == ErrorCode::Refused);
    }
    // Or its programs would not trust who its clerk says to be.
    void aMachineAndItsClerkAreToldOfTheSame() {
        BookWorld w;
        AgentCredentials ann(*w.book, "ann", "ann", w.folder);
        const auto told = ann.certificate();
        QVERIFY(told);
        for (const char* each : {"authority.pem", "authority.key"}) {
            QVERIFY(std::filesystem::remove(w.folder / each));
        }
        const auto clerks = ann.authority();
        QVERIFY(clerks && clerks->certificatePem == told->pem);
        QVERIFY(ann.certificate()->pem == told->pem);
        ann.newMachine();
        QVERIFY(ann.certificate()->pem != told->pem); // another one is made
        QCOMPARE(ann.authority()->certificatePem, ann.certificate()->pem);
    }
    // What goes to the machine is the certificate, whatever else somebody has put into its file.
    void whatTheMachineIsTold() {
        BookWorld w;
        AgentCredentials ann(*w.book, "ann", "ann", w.folder);
        const auto told = ann.certificate();
        QVERIFY2(told, told ? "" : told.error().text().c_str());
        QVERIFY(isGood(*told));
        QCOMPARE(told->pem, ann.authority()->certificatePem);
        QCOMPARE(boost::json::serialize(toJson(*told)).find("PRIVATE KEY"), std::string::npos);
        const auto file = w.folder / "authority.pem";
        for (const auto& damaged : {told->pem + textIn(w.folder / "authority.key"), textIn(w.folder / "authority.key"), told->pem + told->pem, std::string("x")}) {
            std::ofstream(file, std::ios::binary | std::ios::trunc) << damaged;
            ann.newMachine();
            const auto none = ann.certificate();
            QVERIFY(!none && none.error().code == ErrorCode::Malformed);
            QVERIFY(none.error().text().find("authority.pem") != std::string::npos && !none.error().hint.empty());
        }
    }
};

QTEST_GUILESS_MAIN(TestCredentials)
#include "test_credentials.moc"
