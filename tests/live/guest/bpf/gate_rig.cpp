// SPDX-License-Identifier: Apache-2.0
#include "tests/live/guest/bpf/gate_rig.h"

#include "guest/protocol/control.h"

#include <QCryptographicHash>
#include <QFile>
#include <boost/json.hpp>

namespace carrel::test {

namespace json = boost::json;

namespace {

json::array listOf(const std::vector<QByteArray>& hashes) {
    json::array out;
    for (const auto& hash : hashes) {
        out.emplace_back(hash.toStdString());
    }
    return out;
}

} // namespace

QByteArray sha256(const QByteArray& content) {
    return QCryptographicHash::hash(content, QCryptographicHash::Sha256).toHex();
}

QString GateRig::prepare() {
    QFile program(CARREL_BIN_DIR "/gate-helper");
    if (!program.open(QIODevice::ReadOnly)) {
        return program.errorString();
    }
    m_helper = program.readAll();
    if (const QString problem = boot(); !problem.isEmpty()) {
        return problem;
    }
    if (!greet()) {
        return QStringLiteral("no hello: ") + QString::fromUtf8(console());
    }
    const auto put = run({"sh", "-c", "cat > /tmp/helper && chmod 755 /tmp/helper"}, m_helper);
    return put.end.contains("\"code\":0") ? QString() : QString::fromUtf8(put.err + put.end);
}

Status GateRig::setPolicy(const Policy& policy) {
    ++m_age;
    auto part = [&](std::uint64_t number, const json::array& deny, const json::array& allow, const json::array& code, bool last) -> Status {
        const auto answer = call("programs.policy", {{"mode", policy.mode}, {"unknown", policy.unknown}, {"age", m_age}, {"deny", deny},
                                                     {"allow", allow}, {"code", code}, {"part", number}, {"last", last}});
        return answer ? Status() : fail(answer.error());
    };
    std::uint64_t number = 0;
    const auto allow = listOf(policy.allow);
    for (std::size_t at = 0; at < allow.size(); at += control::kMaxHashesPerPart) {
        const auto end = std::min(allow.size(), at + control::kMaxHashesPerPart);
        CARREL_TRY(part(number++, {}, json::array(allow.begin() + static_cast<std::ptrdiff_t>(at), allow.begin() + static_cast<std::ptrdiff_t>(end)), {}, false));
    }
    return part(number, listOf(policy.deny), {}, listOf(policy.code), true);
}

QByteArray GateRig::sh(const QByteArray& line) {
    const auto ran = run({"sh", "-c", "exec 2>&1; " + line.toStdString()});
    return (ran.out + ran.err).trimmed();
}

QByteArray GateRig::hashOf(const QByteArray& path) {
    return sh("sha256sum -b " + path).left(64);
}

QByteArray GateRig::logged() {
    QByteArray out;
    for (const auto& message : control().streams[control::kRpcStream].messages) {
        const auto parsed = parseRpc(message.toStdString());
        const auto* note = parsed ? std::get_if<RpcRequest>(&*parsed) : nullptr;
        if (note != nullptr && note->method == "log") {
            out += QByteArray::fromStdString(json::serialize(note->params)) + "\n";
        }
    }
    return out;
}

} // namespace carrel::test
