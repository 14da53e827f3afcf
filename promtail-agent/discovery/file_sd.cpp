#include "promtail-agent/discovery/file_sd.h"

#include <fmt/format.h>

#include "common/filesystem.h"
#include "common/log.h"
#include "promtail-agent/discovery/target_groups.h"

namespace kvasir::agent {

namespace {
inline constexpr std::uint64_t kFileBytesMax = 64 << 20;
}  // namespace

FileSd::FileSd(FileSdConfig config)
    : Poller("file_sd", std::min(config.refresh_interval, kFileSdLookInterval)), config_(std::move(config)) {}

Result<std::vector<TargetGroup>> FileSd::ask() {
  std::map<std::string, Known> now;
  DirectoryCache cache;
  for (const std::string& pattern : config_.files) {
    for (const std::string& path : Glob(pattern).expand(cache)) {
      const auto status = posix_filesystem().status(path);
      if (!status || !*status || (*status)->is_directory) continue;
      Known& entry = now[path];
      if (const auto before = known_.find(path); before != known_.end()) entry = before->second;
      const FileStatus& file = **status;
      if (entry.modified_ns == file.modified_ns && entry.size == file.size && entry.inode == file.inode) continue;
      entry.modified_ns = file.modified_ns;
      entry.size = file.size;
      entry.inode = file.inode;
      auto text = posix_filesystem().read_all(path, kFileBytesMax);
      Result<std::vector<TargetGroup>> groups = text ? parse_target_groups(*text, "__meta_filepath", path)
                                                      : Result<std::vector<TargetGroup>>(fail(text.error()));
      if (groups) {
        entry.groups = std::move(*groups);
      } else {
        log::error("file_sd", "error reading file, keeping its last content",
                   {{"path", path}, {"error", groups.error().message()}});
      }
    }
  }
  known_ = std::move(now);
  std::vector<TargetGroup> all;
  for (const auto& [path, entry] : known_) all.insert(all.end(), entry.groups.begin(), entry.groups.end());
  return all;
}

HttpSd::HttpSd(HttpSdConfig config, std::unique_ptr<HttpSender> http)
    : Poller("http_sd", config.refresh_interval), config_(std::move(config)), http_(std::move(http)) {}

Result<std::vector<TargetGroup>> HttpSd::ask() {
  net::HttpCall call;
  call.url = config_.url;
  call.headers.set("Accept", "application/json");
  call.stop = stop_token();
  KVASIR_TRY(const net::HttpResponse response, http_->send(std::move(call)));
  if (response.status != 200) {
    return fail(ErrorCode::kUnavailable, fmt::format("server returned HTTP status {}", response.status));
  }
  return parse_target_groups(response.body, "__meta_url", config_.url);
}

}  // namespace kvasir::agent
