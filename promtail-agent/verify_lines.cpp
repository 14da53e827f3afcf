#include "promtail-agent/verify_lines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <simdjson.h>
#include <sys/stat.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "common/number.h"
#include "promtail-agent/client/http_sender.h"
#include "promtail-agent/job_factory.h"

namespace kvasir::agent {

namespace {

inline constexpr std::size_t kPageEntries = 5000;
inline constexpr std::size_t kExamplesMax = 5;
inline constexpr std::int64_t kDayNs = 86'400'000'000'000;
inline constexpr std::int64_t kHourNs = 3'600'000'000'000;

std::uint64_t hash_of(std::string_view line) { return XXH3_64bits(line.data(), line.size()); }

/// What must be in the server: hashes of lines by stream.
struct Expected {
  std::map<std::pair<std::string, std::string>, std::vector<std::uint64_t>> streams;  // by tenant and selector
  std::int64_t oldest_ns;
  std::uint64_t unchecked = 0;
};

/// Takes what comes out of the pipeline, as a client would send it.
class Collector final : public EntryOutput {
 public:
  Collector(const Config& config, std::string selector, Expected& expected)
      : config_(config), selector_(std::move(selector)), expected_(expected) {}

  bool push(const Entry& entry) override {
    const std::string_view line = entry.line();
    const std::uint64_t limit = config_.limits.max_line_size;
    if ((limit > 0 && line.size() > limit) || !simdjson::validate_utf8(line.data(), line.size())) {
      ++expected_.unchecked;
      return true;
    }
    expected_.oldest_ns = std::min(expected_.oldest_ns, entry.timestamp().value);
    std::string tenant = config_.clients.front().tenant_id;
    const std::string selector = selector_of(entry, tenant);
    expected_.streams[{tenant, selector}].push_back(hash_of(line));
    return true;
  }

 private:
  std::string selector_of(const Entry& entry, std::string& tenant) const {
    Labels labels;
    for (const auto& [name, value] : config_.clients.front().external_labels) labels.set(name, value);
    for (const Label& label : entry.labels()->labels) {
      if (label.name == kTenantLabel) {
        tenant = label.value;
      } else {
        labels.set(label.name, label.value);
      }
    }
    return selector_.empty() ? labels.to_string() : selector_;
  }

  const Config& config_;
  const std::string selector_;  // "": the labels of the entry
  Expected& expected_;
};

struct FeedingSink final : LineSink {
  FeedingSink(Feeder& feeder, LabelSetPtr labels, const Clock& clock)
      : feeder(feeder), labels(std::move(labels)), clock(clock) {}
  bool line(std::string_view text, std::uint64_t, std::uint64_t) override {
    return feeder.feed(labels, clock.now(), text);
  }
  Feeder& feeder;
  LabelSetPtr labels;
  const Clock& clock;
};

/// The job that reads the file, its labels, and the name that it has or had.
struct Reader {
  const ScrapeConfig* scrape = nullptr;
  Labels labels;
  bool known = false;  // by a static target
};

Result<Reader> find_reader(const Config& config, const std::string& path, MetricRegistry& metrics) {
  Reader reader;
  TargetCounters counters(metrics);
  for (const std::string& name : earlier_names(path)) {
    for (const ScrapeConfig& scrape : config.scrape_configs) {
      KVASIR_TRY(const Relabeler relabeler, Relabeler::parse(scrape.relabel_configs));
      std::vector<TargetStatus> report;
      for (const FileTarget& target :
           make_file_targets(scrape.static_configs, relabeler, own_hostname(), counters, report)) {
        if (!target.path.matches(name) || (target.exclude && target.exclude->matches(name))) continue;
        reader = {&scrape, target.labels, true};
        reader.labels.set("filename", name);
        return reader;
      }
    }
  }
  const auto& scrapes = config.scrape_configs;
  const auto found =
      std::find_if(scrapes.begin(), scrapes.end(), [](const auto& scrape) { return scrape.has_file_discovery(); });
  if (found == scrapes.end()) return fail(ErrorCode::kInvalidArgument, "no scrape config reads files");
  reader.scrape = &*found;
  reader.labels.set("filename", path);
  return reader;
}

Result<void> feed_file(int fd, const ScrapeConfig& scrape, LineSink& sink) {
  char front[64];
  const ssize_t got = ::pread(fd, front, sizeof front, 0);
  const bool compressed = got >= 4 && detect_compression_format({front, static_cast<std::size_t>(got)}).has_value();
  ReadBuffer buffer;
  if (compressed) {
    CompressedFile file(fd, std::nullopt, CompressedFile::Unit::kBytes, 0, line_limits(scrape));
    for (;;) {
      KVASIR_TRY(const ReadOutcome outcome, file.read(sink, buffer, kTurnBytes));
      if (outcome.at_end) return {};
    }
  }
  PlainFile file(fd, 0, line_limits(scrape), {});
  for (;;) {
    KVASIR_TRY(const ReadOutcome outcome, file.read(sink, buffer, kTurnBytes));
    if (outcome.at_end) return {};
  }
}

using MakeOutput = std::function<std::unique_ptr<EntryOutput>(const Reader&)>;

/// Puts the file through the pipeline of the job that reads it. An end without a newline is no line yet.
Result<void> pass_through(const Config& config, const std::string& path, const MakeOutput& make_output) {
  MetricRegistry metrics(system_clock());
  ProgressTable progress;
  KVASIR_TRY(const Reader reader, find_reader(config, path, metrics));
  if (!reader.scrape->encoding.empty())
    return fail(ErrorCode::kUnsupported, "files with an encoding cannot be verified");
  const auto output = make_output(reader);
  JobContext context;
  context.config = &config;
  context.services = {&system_clock(), &metrics, &progress, nullptr, own_hostname()};
  context.output = output.get();
  KVASIR_TRY(const JobParts parts, make_parts(*reader.scrape, context));
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(ErrorCode::kIo, path + ": " + std::strerror(errno));
  FeedingSink sink(*parts.feeder, make_label_set(reader.labels), system_clock());
  KVASIR_CHECK_OK(feed_file(fd, *reader.scrape, sink));
  parts.feeder->close();
  return {};
}

Result<Expected> expected_of(const Config& config, const std::string& path) {
  Expected expected;
  expected.oldest_ns = system_clock().now().value;
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0)
    expected.oldest_ns = std::min<std::int64_t>(expected.oldest_ns, status.st_mtim.tv_sec * 1'000'000'000LL);
  KVASIR_CHECK_OK(pass_through(config, path, [&](const Reader& reader) {
    return std::make_unique<Collector>(config, reader.known ? "" : reader.labels.to_string(), expected);
  }));
  return expected;
}

/// One page of a stream's answer: hashes of its lines; `start` moves behind it. False: that was the last.
Result<bool> take_page(std::string_view body, std::int64_t& start, std::vector<std::uint64_t>& found) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array streams;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS ||
      root.at_pointer("/data/result").get(streams) != simdjson::SUCCESS) {
    return fail(ErrorCode::kUnavailable, "the server's answer is no query result");
  }
  std::vector<std::pair<std::int64_t, std::uint64_t>> page;
  for (const simdjson::dom::element stream : streams) {
    simdjson::dom::array values;
    if (stream.at_key("values").get(values) != simdjson::SUCCESS) continue;
    for (const simdjson::dom::element value : values) {
      std::string_view stamp, line;
      if (value.at_pointer("/0").get(stamp) != simdjson::SUCCESS ||
          value.at_pointer("/1").get(line) != simdjson::SUCCESS)
        continue;
      page.emplace_back(parse_int64(stamp).value_or(0), hash_of(line));
    }
  }
  if (page.empty()) return false;
  std::sort(page.begin(), page.end());
  const std::int64_t last = page.back().first;
  const bool full = page.size() >= kPageEntries;
  if (full && page.front().first == last)
    return fail(ErrorCode::kUnavailable, fmt::format("more than {} entries of one time", kPageEntries));
  start = full ? last : last + 1;  // the last time of a full page may be cut: it comes again
  for (const auto& [stamp, hash] : page) {
    if (!full || stamp != last) found.push_back(hash);
  }
  return full;
}

class Server {
 public:
  static Result<Server> create(const ClientConfig& client) {
    Server server;
    KVASIR_TRY(server.http_, HttpSender::create(client.http, {}, system_clock()));
    const std::size_t path = client.url.rfind("/loki/api/v1/push");
    if (path == std::string::npos)
      return fail(ErrorCode::kInvalidArgument, "the client's URL does not end in /loki/api/v1/push");
    server.url_ = client.url.substr(0, path) + "/loki/api/v1/query_range";
    return server;
  }

  /// Hashes of all lines of the stream since `start`, sorted.
  Result<std::vector<std::uint64_t>> lines(const std::string& selector, const std::string& tenant,
                                           std::int64_t start) const {
    std::vector<std::uint64_t> found;
    const std::int64_t end = system_clock().now().value + kHourNs;
    for (bool more = true; more;) {
      net::HttpCall call;
      call.url = fmt::format("{}?query={}&limit={}&direction=forward&start={}&end={}", url_,
                             net::percent_encode(selector), kPageEntries, start, end);
      if (!tenant.empty()) call.headers.set("X-Scope-OrgID", tenant);
      KVASIR_TRY(const net::HttpResponse response, http_->send(std::move(call)));
      if (response.status != 200) {
        return fail(ErrorCode::kUnavailable,
                    fmt::format("server returned HTTP status {}: {}", response.status, response.body));
      }
      KVASIR_TRY(more, take_page(response.body, start, found));
    }
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  std::unique_ptr<HttpSender> http_;
  std::string url_;
};

/// Finds the texts of some hashes by reading the file once more.
struct NamingOutput final : EntryOutput {
  NamingOutput(const std::vector<std::uint64_t>& wanted, std::vector<std::string>& out) : wanted(wanted), out(out) {}
  bool push(const Entry& entry) override {
    if (out.size() < kExamplesMax && std::binary_search(wanted.begin(), wanted.end(), hash_of(entry.line()))) {
      out.emplace_back(entry.line().substr(0, 200));
    }
    return true;
  }
  const std::vector<std::uint64_t>& wanted;
  std::vector<std::string>& out;
};

}  // namespace

std::vector<std::string> earlier_names(std::string path) {
  std::vector<std::string> names{path};
  const std::string extension = path.substr(std::min(path.size(), path.find_last_of("./")));
  for (std::size_t cut = path.find_last_of(".-_/"); cut != std::string::npos && path[cut] != '/';
       cut = path.find_last_of(".-_/")) {
    path.resize(cut);
    names.push_back(path);
    std::string dated = path + extension;  // app-20261121.log of app.log
    if (extension.starts_with('.') && std::find(names.begin(), names.end(), dated) == names.end())
      names.push_back(std::move(dated));
  }
  return names;
}

Result<std::set<std::string>> tenants_of(const Config& config, const std::string& path) {
  KVASIR_TRY(const Expected expected, expected_of(config, path));
  std::set<std::string> tenants;
  for (const auto& [stream, lines] : expected.streams) tenants.insert(stream.first);
  return tenants;
}

Result<LinesReport> verify_lines(const Config& config, const std::string& path) {
  if (config.clients.empty()) return fail(ErrorCode::kInvalidArgument, "no client is configured");
  KVASIR_TRY(Expected expected, expected_of(config, path));
  KVASIR_TRY(const Server server, Server::create(config.clients.front()));
  const std::int64_t now = system_clock().now().value;
  const std::int64_t start = std::max(expected.oldest_ns - kDayNs, now - 30 * kDayNs + 2 * kHourNs);
  LinesReport report;
  report.unchecked = expected.unchecked;
  std::vector<std::uint64_t> missing;
  for (auto& [stream, wanted] : expected.streams) {
    std::sort(wanted.begin(), wanted.end());
    report.lines += wanted.size();
    KVASIR_TRY(const auto found, server.lines(stream.second, stream.first, start));
    std::set_difference(wanted.begin(), wanted.end(), found.begin(), found.end(), std::back_inserter(missing));
  }
  std::sort(missing.begin(), missing.end());
  report.missing = missing.size();
  if (report.whole()) return report;
  KVASIR_CHECK_OK(pass_through(
      config, path, [&](const Reader&) { return std::make_unique<NamingOutput>(missing, report.examples); }));
  return report;
}

}  // namespace kvasir::agent
