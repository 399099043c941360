// SPDX-License-Identifier: Apache-2.0
#include "tests/live/app/chain_world.h"

#include "app/images/cpio_writer.h"
#include "guest/protocol/unique_fd.h"

#include <QCryptographicHash>
#include <QDeadlineTimer>
#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonDocument>

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

namespace carrel::live {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kLongAgo = 1'500'000'000;

QProcessEnvironment environmentFor(const QString& home, const QString& bus) {
    auto environment = QProcessEnvironment::systemEnvironment();
    environment.insert("CARREL_HOME", home);
    environment.insert("LC_ALL", "C.UTF-8");
    environment.insert("DBUS_SESSION_BUS_ADDRESS", bus);
    return environment;
}

Item itemOf(const fs::path& path) {
    struct stat what {};
    if (::lstat(path.c_str(), &what) != 0) {
        return {};
    }
    Item item;
    item.mode = what.st_mode & 07777U;
    item.mtimeNs = what.st_mtim.tv_sec * kSecondNs + what.st_mtim.tv_nsec;
    if (S_ISDIR(what.st_mode)) {
        item.type = 'd';
    } else if (S_ISLNK(what.st_mode)) {
        item.type = 'l';
        item.content = fs::read_symlink(path).native();
    } else if (S_ISREG(what.st_mode)) {
        item.type = 'f';
        item.content = readFile(path);
    }
    return item;
}

std::string told(const Item& item) {
    return std::string(1, item.type) + " " + QByteArray::number(item.mode, 8).toStdString() + " " +
           std::to_string(item.mtimeNs) + " " + std::to_string(item.content.size()) + " bytes";
}

// One more archive for the kernel, behind the machine's own; between them zeros up to four bytes.
bool writeHelperArchive(const fs::path& program, const fs::path& into) {
    images::CpioWriter writer;
    const auto content = readFile(program);
    if (content.empty() || !writer.addFile("helper/init", 0755, asBytes(content))) {
        return false;
    }
    const auto archive = writer.finish();
    writeFile(into, std::string(512, '\0') + std::string(asText(archive)), 0600);
    return true;
}

// Every process of this user whose command line or folder names our temporary folder.
QStringList processesOf(const QString& folder) {
    QStringList found;
    for (const auto& entry : QDir("/proc").entryList(QDir::Dirs)) {
        QFile commandLine("/proc/" + entry + "/cmdline");
        if (entry.at(0).isDigit() && entry.toLongLong() != ::getpid() &&
            commandLine.open(QIODevice::ReadOnly)) {
            const auto text = commandLine.readAll();
            if (text.contains(folder.toUtf8())) {
                found << entry + ": " + QString::fromUtf8(text.left(60)).replace(QChar(0), ' ');
            }
        }
    }
    return found;
}

} // namespace

std::string readFile(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// By QFile and not by a stream: a process that ends between open and read makes the read fail (ESRCH),
// and a stream buffer's iterator throws then.
std::string processFile(qint64 pid, const char* name) {
    QFile file("/proc/" + QString::number(pid) + "/" + name);
    return file.open(QIODevice::ReadOnly) ? file.readAll().toStdString() : std::string();
}

bool killHard(qint64 pid) {
    if (pid <= 1) {
        return false;
    }
    // Not by its state: its first thread may be a zombie while another still holds the sockets.
    const UniqueFd watch(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
    pollfd ended{watch.get(), POLLIN, 0};
    return watch && ::kill(static_cast<pid_t>(pid), SIGKILL) == 0 && ::poll(&ended, 1, kGuardMs) == 1;
}

void writeFile(const fs::path& file, const std::string& content, unsigned mode) {
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
    ::chmod(file.c_str(), mode);
}

Tree treeOf(const fs::path& folder) {
    Tree tree;
    tree["."] = itemOf(folder);
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        tree[entry.path().lexically_relative(folder).native()] = itemOf(entry.path());
    }
    return tree;
}

std::string difference(const Tree& is, const Tree& wanted, FolderTimes times) {
    std::string out;
    const auto say = [&](const std::string& path, const std::string& what) {
        if (out.size() < 2000) {
            out += path + ": " + what + "\n";
        }
    };
    for (const auto& [path, item] : wanted) {
        const auto found = is.find(path);
        if (found == is.end()) {
            say(path, "is missing");
            continue;
        }
        auto left = found->second;
        auto right = item;
        if (times == FolderTimes::Ignore && right.type == 'd') {
            left.mtimeNs = right.mtimeNs = 0;
        }
        if (!(left == right)) {
            say(path, "is " + told(left) + ", wanted " + told(right));
        }
    }
    for (const auto& [path, item] : is) {
        if (!wanted.contains(path)) {
            say(path, "should not be there (" + told(item) + ")");
        }
    }
    return out;
}

void agePast(const fs::path& folder) {
    std::int64_t moment = kLongAgo;
    const auto age = [&](const fs::path& path) {
        const timespec when{moment++, 123'456'789};
        const timespec both[2] = {when, when};
        ::utimensat(AT_FDCWD, path.c_str(), both, AT_SYMLINK_NOFOLLOW);
    };
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        age(entry.path());
    }
    age(folder);
}

ChainWorld::ChainWorld(std::string agent, Programs programs)
    : m_agent(QString::fromStdString(agent))
    , m_programs(programs)
    , m_folder("/tmp/carrel-chain-XXXXXX") {} // short: a socket's path has 107 bytes

ChainWorld::~ChainWorld() {
    (void)end();
}

QString ChainWorld::whyNot() {
    if (::geteuid() == 0) {
        return "Carrel refuses to run as root: run this test as an ordinary user";
    }
    const auto image = qEnvironmentVariable("CARREL_TEST_IMAGE");
    if (image.isEmpty() || !QFileInfo::exists(image + "/manifest.json")) {
        return "set CARREL_TEST_IMAGE to the folder of an image, <data folder>/images/<id>";
    }
    return {};
}

bool ChainWorld::prepare() {
    const QString image = QFileInfo(qEnvironmentVariable("CARREL_TEST_IMAGE")).canonicalFilePath();
    const QString images = path("home/images");
    if (!QDir().mkpath(images)) {
        return false;
    }
    ::chmod(path("home").toUtf8().constData(), 0700);
    QProcess copy; // holes stay holes: the base is mostly nothing
    copy.start("cp", {"-a", "--sparse=always", "--reflink=auto", image, images + "/"});
    if (!copy.waitForFinished(kGuardMs) || copy.exitCode() != 0) {
        return false;
    }
    writeFile(images.toStdString() + "/default", QFileInfo(image).fileName().toStdString() + "\n", 0600);
    return m_programs == Programs::Built || copyPrograms();
}

// Carrel looks for its own parts beside the program that runs, so a wrapper is put there by copying them all.
bool ChainWorld::copyPrograms() const {
    const fs::path bin = folder() / "bin";
    const fs::path built = CARREL_BIN_DIR;
    std::error_code error;
    fs::create_directory(bin, error);
    fs::create_directories(folder() / "share/carrel", error);
    fs::create_directory_symlink(fs::path(CARREL_SOURCE_DIR) / "guest/image", folder() / "share/carrel/image", error);
    for (const char* name : {"carrel", "carrel-engine", "carrel-clerk", "carrel-init", "carrel-guestd", "carrel-ask", "carrel-agent", "carrel-recorder"}) {
        if (!fs::copy_file(built / name, bin / name, error)) {
            return false;
        }
    }
    if (!fs::copy_file(fs::path(CARREL_SOURCE_DIR) / "tests/support/guest_helper/qemu-with-helper.sh",
                       bin / "carrel-qemu", error) ||
        !writeHelperArchive(built / "guest-helper-init", folder() / "helper.cpio")) {
        return false;
    }
    fs::permissions(bin / "carrel-qemu", fs::perms::owner_all, error);
    writeFile(bin / "helper.conf", "port=" + (folder() / "helper.sock").native() +
                                       "\ninitrd=" + (folder() / "helper.cpio").native() + "\n");
    return !error;
}

QString ChainWorld::program() const {
    return m_programs == Programs::Built ? QStringLiteral(CARREL_BIN_DIR "/carrel") : path("bin/carrel");
}

std::unique_ptr<QProcess> ChainWorld::begin(const QStringList& arguments) const {
    auto process = std::make_unique<QProcess>();
    process->setProcessEnvironment(environmentFor(path("home"), m_bus));
    process->start(program(), arguments);
    return process;
}

Ran ChainWorld::carrel(const QStringList& arguments, const QByteArray& input) const {
    auto process = begin(arguments);
    process->write(input);
    process->closeWriteChannel();
    auto ran = finish(*process);
    if (process->state() != QProcess::NotRunning) {
        ran.err += stateOfThings();
    }
    return ran;
}

// For a verb that did not come to its end: what else could tell why.
QByteArray ChainWorld::stateOfThings() const {
    QByteArray out = "\n== the engine's own log\n" + QByteArray::fromStdString(readFile(path("home/engine.log").toStdString()));
    for (const QStringList& verb : {QStringList{"list"}, QStringList{"timeline", m_agent}}) {
        auto process = begin(verb);
        process->closeWriteChannel();
        out += "\n== " + verb.join(' ').toUtf8() + "\n" + finish(*process).all().right(6000);
    }
    const auto machine = machinePid();
    out += "\n== the machine's threads: name, state, utime, stime, wchan\n";
    for (const auto& thread : QDir("/proc/" + QString::number(machine) + "/task").entryList(QDir::Dirs | QDir::NoDotAndDotDot)) {
        const auto task = "task/" + thread.toUtf8() + "/";
        const auto stat = QByteArray::fromStdString(processFile(machine, task + "stat"));
        const auto fields = stat.mid(stat.lastIndexOf(')') + 2).split(' ');
        out += stat.left(stat.lastIndexOf(')') + 1) + ' ' + fields.value(0) + ' ' + fields.value(11) + ' ' + fields.value(12) + ' ' +
               QByteArray::fromStdString(processFile(machine, task + "wchan")) + '\n';
    }
    return out;
}

Ran ChainWorld::carrelIn(const QString& home, const QStringList& arguments) const {
    QProcess process;
    process.setProcessEnvironment(environmentFor(home, m_bus));
    process.start(program(), arguments);
    process.closeWriteChannel();
    return finish(process);
}

Ran finish(QProcess& process) {
    if (process.state() != QProcess::NotRunning) {
        process.waitForFinished(kGuardMs);
    }
    const bool ended =
        process.state() == QProcess::NotRunning && process.exitStatus() == QProcess::NormalExit;
    return {ended ? process.exitCode() : -1, process.readAllStandardOutput(), process.readAllStandardError()};
}

bool waitFor(QProcess& process, QProcess::ProcessChannel channel, const QByteArray& text, QByteArray& seen) {
    process.setReadChannel(channel);
    QDeadlineTimer guard(kGuardMs);
    for (;;) {
        seen += process.readAll();
        if (seen.contains(text)) {
            return true;
        }
        if (guard.hasExpired() ||
            (!process.waitForReadyRead(1000) && process.state() == QProcess::NotRunning &&
             process.bytesAvailable() == 0)) {
            return false;
        }
    }
}

QJsonObject ChainWorld::ask(const QStringList& arguments) const {
    return QJsonDocument::fromJson(carrel(arguments + QStringList{"--json"}).out).object();
}

Ran ChainWorld::python(const QByteArray& program) const {
    return carrel({"exec", m_agent, "--", "python3", "-"}, program);
}

Ran ChainWorld::shell(const QString& script) const {
    return carrel({"exec", m_agent, "--", "sh", "-c", script});
}

Tree ChainWorld::guestTree(const QString& folder) const {
    const auto ran = python("import os,stat,sys\n"
                            "root=os.fsencode('" +
                            folder.toUtf8() +
                            "')\n"
                            "def show(p,n):\n"
                            " s=os.lstat(p)\n"
                            " t='d' if stat.S_ISDIR(s.st_mode) else 'l' if stat.S_ISLNK(s.st_mode) else 'f'\n"
                            " c=os.readlink(p) if t=='l' else open(p,'rb').read() if t=='f' else b''\n"
                            " print(n.hex(),t,s.st_mode&0o7777,s.st_mtime_ns,c.hex(),sep=' ')\n"
                            "show(root,b'.')\n"
                            "for d,ds,fs in os.walk(root):\n"
                            " for n in ds+fs:\n"
                            "  p=os.path.join(d,n)\n"
                            "  show(p,os.path.relpath(p,root))\n");
    Tree tree;
    for (const auto& line : ran.out.split('\n')) {
        const auto words = line.split(' ');
        if (words.size() == 5) {
            tree[QByteArray::fromHex(words[0]).toStdString()] =
                Item{words[1].at(0), words[2].toUInt(), words[3].toLongLong(),
                     QByteArray::fromHex(words[4]).toStdString()};
        }
    }
    return tree;
}

std::int64_t ChainWorld::enginePid() const {
    return ask({"engine", "info"}).value("pid").toInteger();
}

std::int64_t ChainWorld::machinePid() const {
    const auto home = path("home").toUtf8().toStdString();
    for (const auto& entry : QDir("/proc").entryList(QDir::Dirs)) {
        const auto pid = entry.toLongLong(); // 0 for what is no process
        const auto line = pid > 0 ? processFile(pid, "cmdline") : std::string();
        if (line.find(home) != std::string::npos && line.find("-initrd") != std::string::npos) {
            return pid;
        }
    }
    return 0;
}

QByteArray ChainWorld::helper(const QByteArray& line) const {
    const UniqueFd port(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto name = path("helper.sock").toUtf8();
    std::copy_n(name.begin(), std::min<std::size_t>(name.size(), sizeof address.sun_path - 1),
                address.sun_path);
    const auto text = line + "\n";
    if (::connect(port.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::write(port.get(), text.constData(), static_cast<std::size_t>(text.size())) != text.size()) {
        return {};
    }
    QByteArray answer;
    pollfd wait{port.get(), POLLIN, 0};
    while (!answer.endsWith('\n') && ::poll(&wait, 1, kGuardMs) > 0) {
        char piece[256];
        const auto got = ::read(port.get(), piece, sizeof piece);
        if (got <= 0) {
            break;
        }
        answer.append(piece, static_cast<qsizetype>(got));
    }
    return answer.trimmed();
}

std::vector<QJsonObject> ChainWorld::timeline(const QStringList& options) const {
    std::vector<QJsonObject> events;
    for (const auto& line : carrel(QStringList{"timeline", m_agent, "--json"} + options).out.split('\n')) {
        if (!line.isEmpty()) {
            events.push_back(QJsonDocument::fromJson(line).object());
        }
    }
    return events;
}

std::int64_t ChainWorld::clerkPid() const {
    std::int64_t pid = 0;
    for (const auto& event : timeline({"--kind", "clerk.state"})) {
        const auto detail = event.value("detail").toObject();
        pid = detail.contains("pid") ? detail.value("pid").toInteger() : pid;
    }
    return pid;
}

std::map<std::string, std::string> ChainWorld::staged() const {
    std::map<std::string, std::string> out;
    const auto array = changes().value("changes").toArray();
    for (const auto& value : array) {
        const auto change = value.toObject();
        const auto path = change.contains("path_b64")
                              ? QByteArray::fromBase64(change.value("path_b64").toString().toUtf8())
                              : change.value("path").toString().toUtf8();
        out[path.toStdString()] = change.value("kind").toString().toStdString();
    }
    return out;
}

QString ChainWorld::end() {
    if (m_ended || !QFileInfo::exists(path("home"))) {
        return {};
    }
    m_ended = true;
    QString problems;
    const auto listed = ask({"list"}).value("agents").toArray();
    for (const auto& agent : listed) {
        const auto gone = carrel({"delete", agent.toObject().value("name").toString(), "--discard"});
        if (gone.status != 0) {
            problems += QString::fromUtf8(gone.all());
        }
    }
    (void)carrel({"engine", "stop"});
    // Machines, engine and clients have theirs there (app/api/home.h).
    const auto home = QFileInfo(path("home")).canonicalFilePath().toUtf8();
    const auto runtime = qEnvironmentVariable("XDG_RUNTIME_DIR") + "/carrel-" +
                         QString::fromLatin1(QCryptographicHash::hash(home, QCryptographicHash::Sha256).toHex().left(16));
    // Asked to end, a process needs its moment.
    QDeadlineTimer guard(30'000);
    QStringList left = processesOf(m_folder.path());
    while ((!left.isEmpty() || QFileInfo::exists(runtime)) && !guard.hasExpired()) {
        ::usleep(50'000);
        left = processesOf(m_folder.path());
    }
    if (QFileInfo::exists(runtime)) {
        problems += "left behind: " + runtime + " with " + QDir(runtime).entryList(QDir::AllEntries | QDir::NoDotAndDotDot).join(", ") + "\n";
    }
    std::error_code ignored; // QTemporaryDir does not find names that are not UTF-8
    fs::remove_all(folder(), ignored);
    for (const auto& each : left) {
        problems += "still runs: " + each + "\n";
    }
    return problems;
}

} // namespace carrel::live
