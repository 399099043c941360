// SPDX-License-Identifier: Apache-2.0
// What of the kernel programs can be seen without the kernel: that the embedded object is whole, and where its programs belong.
#include "guest/bpf/exec_gate.h"
#include "guest/bpf/program_gate.h"

#include <cstring>

#include <QTest>

CARREL_BPF_OBJECT(exec_gate)

using namespace carrel;

class TestKernelPrograms : public QObject {
    Q_OBJECT
private slots:
    void objectNamesItsPrograms();
    void brokenObjectIsRefused();
    void recordsAreReadStrictly();
};

void TestKernelPrograms::objectNamesItsPrograms() {
    const auto sections = bpf::sectionsByProgram(carrelBpfObject_exec_gate());
    QVERIFY2(sections.has_value(), sections ? "" : sections.error().text().c_str());
    const std::map<std::string, std::string> expected{
        {"gateProgram", "lsm.s/bprm_check_security"}, {"gateMapping", "lsm.s/mmap_file"},    {"gateProtection", "lsm/file_mprotect"},
        {"gateOpening", "lsm/file_open"},             {"gateTruncation", "lsm/inode_setattr"}, {"gateTracing", "lsm/ptrace_access_check"},
        {"gateTraced", "lsm/ptrace_traceme"}};
    QVERIFY(*sections == expected);
}

void TestKernelPrograms::brokenObjectIsRefused() {
    const auto whole = carrelBpfObject_exec_gate();
    const auto half = bpf::sectionsByProgram({"half", whole.bytes.first(whole.bytes.size() / 2)});
    QVERIFY(!half);
    QVERIFY(half.error().message.starts_with("reading the kernel program half: "));
}

void TestKernelPrograms::recordsAreReadStrictly() {
    gate_event event{};
    const auto read = [&event] { return bpf::refusalFrom({reinterpret_cast<const std::byte*>(&event), sizeof event}); };
    QVERIFY(!read()); // no reason
    event.why = GATE_WHY_FOREIGN + 1;
    QVERIFY(!read());
    event.why = GATE_WHY_UNKNOWN;
    event.has_hash = 1;
    event.hash[0] = 1;
    event.pid = 7;
    event.path_bytes = 1 << 20; // whatever it says, what is read ends with the record
    std::memset(event.path, 'p', sizeof event.path);
    std::memset(event.name, 'n', sizeof event.name);
    std::memset(event.ancestors[0], 'a', sizeof event.ancestors[0]);
    const auto refusal = read();
    QVERIFY(refusal && refusal->why == bpf::RefusedWhy::Unknown && refusal->pid == 7);
    QCOMPARE(bpf::toHex(refusal->content.value()), "01" + std::string(62, '0'));
    QCOMPARE(refusal->path, std::string(GATE_PATH_BYTES, 'p'));
    QVERIFY((refusal->startedBy == std::vector<std::string>{std::string(GATE_NAME_BYTES, 'n'), std::string(GATE_NAME_BYTES, 'a')}));
    QVERIFY(!bpf::refusalFrom({reinterpret_cast<const std::byte*>(&event), sizeof event - 1}));
}

QTEST_GUILESS_MAIN(TestKernelPrograms)
#include "test_kernel_programs.moc"
