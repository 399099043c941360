// SPDX-License-Identifier: Apache-2.0
// What of the kernel programs can be seen without the kernel: that the embedded object is whole, and where its programs belong.
#include "guest/bpf/kernel_programs.h"

#include <QTest>

CARREL_BPF_OBJECT(exec_gate)

using namespace carrel;

class TestKernelPrograms : public QObject {
    Q_OBJECT
private slots:
    void objectNamesItsPrograms();
    void brokenObjectIsRefused();
};

void TestKernelPrograms::objectNamesItsPrograms() {
    const auto sections = bpf::sectionsByProgram(carrelBpfObject_exec_gate());
    QVERIFY2(sections.has_value(), sections ? "" : sections.error().text().c_str());
    QCOMPARE(sections->at("gateProgram"), std::string("lsm.s/bprm_check_security"));
}

void TestKernelPrograms::brokenObjectIsRefused() {
    const auto whole = carrelBpfObject_exec_gate();
    const auto half = bpf::sectionsByProgram({"half", whole.bytes.first(whole.bytes.size() / 2)});
    QVERIFY(!half);
    QVERIFY(half.error().message.starts_with("reading the kernel program half: "));
}

QTEST_GUILESS_MAIN(TestKernelPrograms)
#include "test_kernel_programs.moc"
