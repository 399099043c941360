// SPDX-License-Identifier: Apache-2.0
#include "tests/live/app/played_sites.h"

#include <QProcess>

#include <fstream>
#include <sstream>

namespace carrel::live {

PlayedSite filesOf(std::filesystem::path folder) {
    return [folder = std::move(folder)](const PlayedRequest& request) {
        const auto path = request.target.substr(0, request.target.find('?'));
        auto file = folder / path.substr(1);
        if (path.ends_with('/')) {
            file /= "index.html";
        }
        if (path.find("..") != std::string::npos || !std::filesystem::is_regular_file(file)) {
            return playedResponse(404, "text/plain", "there is no " + path + "\n");
        }
        std::ostringstream text;
        text << std::ifstream(file, std::ios::binary).rdbuf();
        return playedResponse(200, file.extension() == ".html" ? "text/html" : "application/octet-stream", text.str());
    };
}

// By CGI (RFC 3875).
PlayedSite repositoriesOf(std::filesystem::path folder) {
    return [folder = std::move(folder)](const PlayedRequest& request) {
        const auto mark = request.target.find('?');
        QProcess program;
        auto environment = QProcessEnvironment::systemEnvironment();
        const auto put = [&](const char* name, const std::string& value) { environment.insert(name, QString::fromStdString(value)); };
        put("GIT_PROJECT_ROOT", folder.string());
        put("GIT_HTTP_EXPORT_ALL", "1");
        put("REMOTE_USER", "somebody"); // whom it lets push
        put("REQUEST_METHOD", request.method);
        put("PATH_INFO", request.target.substr(0, mark));
        put("QUERY_STRING", mark == std::string::npos ? "" : request.target.substr(mark + 1));
        put("CONTENT_TYPE", request.field("content-type"));
        put("CONTENT_LENGTH", std::to_string(request.body.size()));
        put("HTTP_CONTENT_ENCODING", request.field("content-encoding"));
        put("GIT_PROTOCOL", request.field("git-protocol"));
        program.setProcessEnvironment(environment);
        program.start("git", {"http-backend"});
        program.write(request.body.data(), qint64(request.body.size()));
        program.closeWriteChannel();
        if (!program.waitForFinished(60'000)) {
            return playedResponse(500, "text/plain", "git does not answer\n");
        }
        const auto out = program.readAllStandardOutput().toStdString();
        const auto end = out.find("\r\n\r\n");
        auto head = out.substr(0, end);
        std::string status = "200 OK";
        if (head.starts_with("Status: ")) {
            status = head.substr(8, head.find("\r\n") - 8);
            head.erase(0, head.find("\r\n") + 2);
        }
        const auto body = end == std::string::npos ? std::string() : out.substr(end + 4);
        return "HTTP/1.1 " + status + "\r\n" + head + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    };
}

} // namespace carrel::live
