// SPDX-License-Identifier: Apache-2.0
// Reading JSON of a peer that may be hostile.
#include "guest/protocol/strict_json.h"

#include <QTest>

using namespace carrel;

class TestStrictJson : public QObject {
    Q_OBJECT

    static boost::json::object object(const char* text) { return parseJsonObject(text).value(); }

private slots:
    void whatIsNoJson_data() {
        QTest::addColumn<QByteArray>("text");
        const auto row = [](const char* name, const QByteArray& text) { QTest::newRow(name) << text; };
        row("empty", "");
        row("comment", "{}//x");
        row("trailing comma", "{\"a\":1,}");
        row("single quotes", "{'a':1}");
        row("two values", "{}{}");
        row("not a number", "{\"a\":NaN}");
        row("leading zero", "{\"a\":01}");
        row("a number beyond all numbers", "{\"a\":[1e999]}");
        row("the same, below", "-44444444444444444444e4444");
        row("bad UTF-8", "{\"a\":\"\xff\"}");
        row("overlong UTF-8", "{\"a\":\"\xc0\xaf\"}");
        row("half a surrogate pair", "{\"a\":\"\\ud800\"}");
        row("a NUL in the text", QByteArray("{\"a\":\"x\0\"}", 10));
        row("same key twice", "{\"a\":1,\"a\":2}");
        row("same key twice, one escaped", "{\"a\":1,\"\\u0061\":2}");
        row("same key twice, deep inside", "[[{\"b\":{\"a\":1,\"a\":2}}]]");
        row("same key twice with a colon in text", "{\"a\":\"::\",\"a\":\":\"}");
    }
    void whatIsNoJson() {
        QFETCH(QByteArray, text);
        const auto read = parseJson({text.constData(), static_cast<std::size_t>(text.size())});
        QVERIFY(!read.has_value());
        QVERIFY(read.error().code == ErrorCode::Malformed);
    }

    void colonsInTextAreNoMembers() {
        QVERIFY(parseJson("{\"a:b\":\":\\\":\\\\\",\"c\":[\":\",{\"d\":\"\\\\\"}]}").has_value());
    }

    void sizeAndDepthAreBounded() {
        const std::string deep = std::string(12, '[') + std::string(12, ']');
        QVERIFY(parseJson(deep).has_value());
        QVERIFY(!parseJson("[" + deep + "]").has_value());
        const std::string millions(1'000'000, '[');
        QVERIFY(!parseJson(millions, {.bytes = millions.size()}).has_value());
        QVERIFY(parseJson("[1]", {.bytes = 3}).has_value());
        QVERIFY(parseJson("[1]", {.bytes = 2}).error().code == ErrorCode::LimitExceeded);
    }

    void anObjectIsAnObject() {
        QVERIFY(!parseJsonObject("[]").has_value());
        QVERIFY(!parseJsonObject("null").has_value());
        QVERIFY(parseJsonObject("{}").has_value());
    }

    void goodFieldsAreRead() {
        const auto read = object(R"({"s":"text","n":18446744073709551615,"i":-5,"b":true,
                                     "a":["x","y"],"o":{"k":1},"z":null})");
        JsonFields fields(read, "test");
        QCOMPARE(fields.string("s", 4), std::string("text"));
        QCOMPARE(fields.number("n"), UINT64_MAX);
        QCOMPARE(fields.signedNumber("i"), std::int64_t{-5});
        QVERIFY(fields.boolean("b"));
        QCOMPARE(fields.strings("a", 2, 1), (std::vector<std::string>{"x", "y"}));
        QVERIFY(fields.object("o").contains("k"));
        QVERIFY(!fields.optionalString("z", 1).has_value());
        QVERIFY(!fields.optionalNumber("absent").has_value());
        QVERIFY(fields.optionalBoolean("absent", true));
        QVERIFY(fields.optionalArray("absent", 0).empty());
        QVERIFY(fields.optionalObject("absent") == nullptr);
        QVERIFY(fields.finish().has_value());
    }

    void wrongFieldsAreRefused() {
        const auto read = object(
            R"({"s":"text","n":7,"neg":-1,"f":1.0,"e":1e2,"a":[1],"z":null,"big":9223372036854775808})");
        const auto refuses = [&](auto&& take) {
            JsonFields fields(read, "test");
            for (const auto& member : read) {
                fields.allow({member.key().data(), member.key().size()});
            }
            take(fields);
            return !fields.finish().has_value();
        };
        QVERIFY(refuses([](JsonFields& f) { (void)f.string("s", 3); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.string("n", 9); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.string("absent", 9); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.string("z", 9); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.optionalString("n", 9); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.number("n", 6); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.number("neg"); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.number("f"); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.number("e"); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.signedNumber("big"); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.boolean("n"); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.array("a", 0); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.array("n", 9); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.strings("a", 9, 9); }));
        QVERIFY(refuses([](JsonFields& f) { (void)f.object("a"); }));
        QVERIFY(refuses([](JsonFields& f) { f.problem("s", "is odd"); }));
        QVERIFY(!refuses([](JsonFields&) {}));
    }

    void aFieldNobodyAskedForIsRefused() {
        const auto read = object(R"({"a":1,"b":2})");
        JsonFields fields(read, "test");
        (void)fields.number("a");
        const auto status = fields.finish();
        QVERIFY(!status.has_value());
        QVERIFY(status.error().message.find("\"b\"") == std::string::npos); // a peer's text is not repeated
    }

    void theFirstProblemIsTheOneTold() {
        const auto read = object(R"({"a":1})");
        JsonFields fields(read, "test");
        (void)fields.string("a", 9);
        (void)fields.string("b", 9);
        QCOMPARE(fields.finish().error().message, std::string("test: \"a\" is not a string"));
    }
};

QTEST_GUILESS_MAIN(TestStrictJson)
#include "test_strict_json.moc"
