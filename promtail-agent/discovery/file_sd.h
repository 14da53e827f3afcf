// file_sd.h -- targets from files, and from an HTTP address: read again every interval, and files when they change.
//
// Errors:   a broken file keeps its last good content.
// Threads:  Poller's.
#pragma once

#include <map>
#include <memory>

#include "promtail-agent/client/http_sender.h"
#include "promtail-agent/discovery/glob.h"
#include "promtail-agent/discovery/poller.h"

namespace kvasir::agent {

inline constexpr Duration kFileSdLookInterval = std::chrono::seconds(1);  // changes are seen within it

class FileSd final : public Poller {
 public:
  explicit FileSd(FileSdConfig config);
  ~FileSd() override { stop(); }

 protected:
  Result<std::vector<TargetGroup>> ask() override;

 private:
  struct Known {
    std::int64_t modified_ns = 0;
    std::uint64_t size = 0;
    std::uint64_t inode = 0;
    std::vector<TargetGroup> groups;
  };
  const FileSdConfig config_;
  std::map<std::string, Known> known_;
};

class HttpSd final : public Poller {
 public:
  HttpSd(HttpSdConfig config, std::unique_ptr<HttpSender> http);
  ~HttpSd() override { stop(); }

 protected:
  Result<std::vector<TargetGroup>> ask() override;

 private:
  const HttpSdConfig config_;
  std::unique_ptr<HttpSender> http_;
};

}  // namespace kvasir::agent
