// docker_target.h -- follows the logs of containers through the Docker API.
//
// Labels:   __meta_docker_* of the container and __meta_docker_container_log_stream, relabelling per stream; entries
//           without a label are dropped.
// Position: cursor-<container id> holds the second of the last acknowledged line, cursor-<container id>-ns its time to
//           the nanosecond and how many lines had that time: reading goes on behind exactly that line.
// Threads:  one for the list of containers, one per followed container; the pipeline is used under a lock.
// Limits:   kContainersMax containers at a time.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <thread>

#include "promtail-agent/client/http_sender.h"
#include "promtail-agent/discovery/docker_containers.h"
#include "promtail-agent/services.h"
#include "promtail-agent/targets/docker_stream.h"
#include "promtail-agent/targets/target.h"

namespace kvasir::agent {

inline constexpr std::size_t kContainersMax = 1000;

class DockerTarget final : public Target {
 public:
  static Result<std::unique_ptr<DockerTarget>> create(JobParts parts);
  ~DockerTarget() override;

  Result<void> start() override;
  void request_stop() override;
  void stop() override;
  bool ready() const override { return true; }
  std::vector<TargetStatus> status() const override;

 private:
  struct Host {
    DockerSdConfig config;
    std::string base;  // of URLs
    std::unique_ptr<HttpSender> http;
  };
  struct Container;

  explicit DockerTarget(JobParts parts);
  void run();
  Result<void> refresh(Host& host);
  Result<std::string> get(Host& host, const std::string& path);
  void forget_gone(const Host& host, const std::vector<DockerContainer>& listed) KVASIR_REQUIRES(mutex_);
  void follow(Container& container);
  void take(Container& container, const DockerLine& line);
  void collect(Positions& positions);

  JobParts parts_;
  std::vector<Host> hosts_;
  SeriesPtr entries_, parsing_errors_;
  int collector_ = 0;
  std::stop_source stop_;
  std::thread thread_;
  mutable Mutex mutex_;  // the list of containers
  Condition wake_;
  std::map<std::string, std::unique_ptr<Container>> containers_ KVASIR_GUARDED_BY(mutex_);  // by id
  Mutex pipeline_mutex_;
  LabelSetTable label_sets_ KVASIR_GUARDED_BY(pipeline_mutex_);
};

}  // namespace kvasir::agent
