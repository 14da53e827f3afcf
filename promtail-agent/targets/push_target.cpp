#include "promtail-agent/targets/push_target.h"

#include <fmt/format.h>

#include "common/net/content_encoding.h"
#include "ingest/wire/label_string.h"
#include "ingest/wire/push_json.h"
#include "ingest/wire/push_protobuf.h"
#include "promtail-agent/pages.h"
#include "promtail-agent/targets/target_list.h"

namespace kvasir::agent {

namespace {
inline constexpr Duration kTickInterval = std::chrono::milliseconds(100);
inline constexpr Duration kRoomWait = std::chrono::seconds(1);
inline constexpr std::uint64_t kEntryBytes = 24;  // that encode an entry, beside its line

/// What the entries take in a queue, or a little more.
std::uint64_t bytes_of(const ingest::DecodedPush& push) {
  std::uint64_t bytes = 0;
  for (const auto& entry : push.entries) bytes += entry.line.size() + kEntryBytes;
  for (const auto& pair : push.metadata) bytes += pair.name.size() + pair.value.size() + kEntryBytes;
  return bytes;
}

/// Nothing of the request was taken: the sender may repeat it.
net::HttpResponse full() {
  net::HttpResponse response = net::HttpResponse::text(429, "the agent's queue is full\n");
  response.headers.set("Retry-After", "1");
  return response;
}
}  // namespace

Result<std::unique_ptr<PushTarget>> PushTarget::create(JobParts parts) {
  return std::unique_ptr<PushTarget>(new PushTarget(std::move(parts)));
}

PushTarget::~PushTarget() { stop(); }

void PushTarget::add(const std::string& method, const std::string& path,
                     std::function<net::HttpResponse(net::HttpRequest)> answer) {
  net::HttpRoute route;
  route.methods = {method};
  route.pattern = config_.server.path_prefix + path;
  route.pool = "push";
  route.body_bytes_max = config_.body_bytes_max;
  route.handler = [answer = std::move(answer)](net::HttpRequest request, std::shared_ptr<net::HttpReply> reply) {
    reply->send(answer(std::move(request)));
  };
  server_->add(std::move(route));
}

Result<void> PushTarget::start() {
  net::HttpServerOptions options = http_server_options(config_.server);
  options.pools.push_back({"push", 2, 128});
  server_ = std::make_unique<net::HttpServer>(std::move(options));
  add("POST", "/loki/api/v1/push", [this](const net::HttpRequest& request) { return push(request); });
  add("POST", "/promtail/api/v1/raw", [this](const net::HttpRequest& request) { return raw(request); });
  add("GET", "/ready", [](const net::HttpRequest&) { return net::HttpResponse::text(200, "ready\n"); });
  KVASIR_CHECK_OK(server_->start());
  ticker_ = std::thread([this] { tick(); });
  return {};
}

void PushTarget::tick() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    parts_.feeder->tick();
    wake_.wait_for(lock, kTickInterval, [this] { return stopping_.load(); });
  }
}

void PushTarget::stop() {
  if (server_ == nullptr) return;
  stopping_ = true;
  server_->drain(std::chrono::seconds(1));
  if (ticker_.joinable()) ticker_.join();
  server_.reset();
  const MutexLock lock(mutex_);
  parts_.feeder->close();
}

std::vector<TargetStatus> PushTarget::status() const {
  TargetStatus status;
  status.type = "Push";
  status.ready = true;
  for (const auto& [name, value] : config_.labels) status.labels.set(name, value);
  status.details = {{"address", fmt::format("{}:{}", config_.server.listen_address, config_.server.listen_port)}};
  return {status};
}

Result<void> PushTarget::decode(const net::HttpRequest& request, ingest::DecodedPush& push) const {
  const std::string_view type = request.headers.get("Content-Type").value_or("");
  const auto encoding = net::parse_content_encoding(request.headers.get("Content-Encoding").value_or(""));
  if (!type.starts_with("application/json"))
    return ingest::decode_push_snappy(request.body, config_.body_bytes_max, push);
  if (!encoding) return fail(ErrorCode::kInvalidArgument, "Content-Encoding is not supported");
  if (*encoding == net::ContentEncoding::kIdentity) {
    push.body = request.body;
  } else {
    KVASIR_TRY(push.body, net::decompress(*encoding, request.body, config_.body_bytes_max));
  }
  return ingest::decode_push_json(ingest::JsonForm::kV1, push);
}

/// nullptr: the stream is dropped.
LabelSetPtr PushTarget::labels_of(Labels labels, std::string_view tenant) {
  for (const auto& [name, value] : config_.labels) labels.set(name, value);
  const auto relabelled = parts_.relabeler.apply(labels);
  if (!relabelled) return nullptr;
  Labels kept = without_internal(*relabelled);
  if (kept.empty()) return nullptr;
  if (config_.forward_tenant && !tenant.empty()) kept.set(kTenantLabel, tenant);
  return label_sets_.intern(std::move(kept));
}

/// Feeds every stream whose labels can be read; then says what was wrong. False: the agent is stopping.
Result<bool> PushTarget::take(const ingest::DecodedPush& push, std::string_view tenant) {
  const MutexLock lock(mutex_);
  std::optional<Error> broken;
  TimestampNs stamp = parts_.services.clock->now();
  for (const auto& stream : push.streams) {
    auto parsed = ingest::parse_label_string(stream.labels);
    if (!parsed) {
      broken = parsed.error();
      continue;
    }
    const LabelSetPtr labels = labels_of(std::move(parsed->labels), tenant);
    if (labels == nullptr) continue;
    for (std::size_t i = 0; i < stream.entry_count; ++i) {
      const auto& entry = push.entries[stream.entry_begin + i];
      const std::span<const LabelView> metadata(push.metadata.data() + entry.metadata_begin, entry.metadata_count);
      stamp = stamp + Duration(1);
      if (!parts_.feeder->feed(labels, config_.use_incoming_timestamp ? entry.timestamp : stamp, entry.line, metadata))
        return false;
    }
  }
  if (broken) return fail(*broken);
  return true;
}

net::HttpResponse PushTarget::push(const net::HttpRequest& request) {
  auto decoded = std::make_unique<ingest::DecodedPush>();
  if (auto result = decode(request, *decoded); !result)
    return net::HttpResponse::text(400, result.error().message() + "\n");
  const std::string tenant(config_.forward_tenant ? request.headers.get("X-Scope-OrgID").value_or("") : "");
  if (!parts_.feeder->wait_for_room(tenant, bytes_of(*decoded), kRoomWait)) return full();
  const auto taken = take(*decoded, request.headers.get("X-Scope-OrgID").value_or(""));
  if (!taken) return net::HttpResponse::text(400, taken.error().message() + "\n");
  net::HttpResponse response;
  response.status = *taken ? 204 : 503;
  return response;
}

net::HttpResponse PushTarget::raw(const net::HttpRequest& request) {
  if (!parts_.feeder->wait_for_room("", request.body.size(), kRoomWait)) return full();
  const MutexLock lock(mutex_);
  Labels labels;
  for (const auto& [name, value] : config_.labels) labels.set(name, value);
  const LabelSetPtr set = label_sets_.intern(std::move(labels));
  TimestampNs stamp = parts_.services.clock->now();
  net::HttpResponse response;
  response.status = 204;
  std::string_view rest = request.body;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    stamp = stamp + Duration(1);
    if (!parts_.feeder->feed(set, stamp, line)) response.status = 503;
  }
  return response;
}

}  // namespace kvasir::agent
