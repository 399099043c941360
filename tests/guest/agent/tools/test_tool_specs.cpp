// SPDX-License-Identifier: Apache-2.0
// What a model is told of the tools: read strictly, and of each that there is.
#include "guest/agent/tools/tool_specs.h"
#include "guest/agent/tools/tool_texts.h"
#include "tests/guest/agent/turn_words.h"

#include <QDir>
#include <QTest>

using namespace carrel;
using namespace carrel::agent;
using carrel::agent::test::j;

namespace {

const std::string kGood =
    "{'name':'x','description':['a','b'],'schema':{'type':'object','properties':{'p':{'type':'string','description':'d'}},"
    "'required':['p'],'additionalProperties':false}}";

std::string with(const std::string& from, const std::string& to) {
    auto out = kGood;
    const auto at = out.find(from);
    if (at == std::string::npos) {
        qFatal("the test's own words are not there");
    }
    return j(out.replace(at, from.size(), to));
}

} // namespace

class TestToolSpecs : public QObject {
    Q_OBJECT
private slots:
    void readsAllOfResources() {
        const auto files = QDir(QStringLiteral(CARREL_SOURCE_DIR "/resources/agent/tools")).entryList({"*.json"}, QDir::Files);
        QVERIFY(files.size() >= 7);
        for (const auto& file : files) {
            const auto name = file.chopped(5).toStdString();
            const auto spec = ownToolSpec(name);
            QVERIFY2(spec, spec ? "" : (name + ": " + spec.error().text()).c_str());
            QCOMPARE(spec->name, name);
        }
        QVERIFY(!ownToolSpec("fly"));
    }

    void readsWhatIsThere() {
        const auto spec = toolSpecFrom(j(kGood));
        QVERIFY(spec);
        QCOMPARE(spec->description, std::string("a\nb"));
        QVERIFY(spec->schema.contains("properties"));
    }

    void refuses_data() {
        QTest::addColumn<QByteArray>("text");
        const auto row = [](const char* name, const std::string& text) { QTest::newRow(name) << QByteArray::fromStdString(text); };
        row("no JSON", "{");
        row("a list", "[]");
        row("a name with a space", with("'x'", "'x y'"));
        row("no description", with("['a','b']", "[]"));
        row("an unknown field", with("'name'", "'nane':1,'name'"));
        row("an unknown field of the schema", with("'type':'object'", "'type':'object','oneOf':[]"));
        row("another type", with("'object'", "'array'"));
        row("a field without words", with(",'description':'d'", ""));
        row("a field without type", with("'type':'string',", ""));
        row("wanted, and not there", with("['p']", "['q']"));
        row("open to more", with("false", "true"));
    }
    void refuses() {
        QFETCH(QByteArray, text);
        const auto spec = toolSpecFrom(text.toStdString());
        QVERIFY(!spec);
        QVERIFY(!spec.error().message.empty());
    }
};

QTEST_GUILESS_MAIN(TestToolSpecs)
#include "test_tool_specs.moc"
