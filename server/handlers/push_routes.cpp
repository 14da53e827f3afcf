#include "server/handlers/push_routes.h"

#include <algorithm>
#include <atomic>

#include "common/log.h"
#include "ingest/push_verdicts.h"
#include "ingest/validate.h"
#include "ingest/wire/covers.h"
#include "server/answer.h"
#include "server/handlers/push_answer.h"
#include "server/handlers/push_decoding.h"
#include "server/handlers/push_metrics.h"
#include "server/stored_lines.h"
#include "server/tenant_settings.h"

namespace kvasir::server {
namespace {

using ingest::Refusal;
using ingest::Rejections;
using ingest::Validated;

constexpr std::uint64_t kDecompressedAlwaysAllowed = 64 << 20;
constexpr Duration kLookForStoredMax = std::chrono::seconds(5);  // then the verdicts say that they are incomplete

/// What the answer to one push needs after its handler has returned.
struct Pending {
  std::shared_ptr<net::HttpReply> reply;
  PushForm form;
  bool json = false;         // the client sent JSON
  std::uint64_t entries = 0; // sent
  PushMetrics::Origin origin;
  Rejections refused;        // by the validator's rules
  Rejections rate_refused;   // by a stream's rate
  std::shared_ptr<ingest::PushVerdicts> verdicts;  // null unless asked for
  LineNames names;                                 // for the verdicts
  bool verdicts_complete = true;                   // every line was looked for among the stored ones
  bool keeps_ledger = false;  // of what the push may say of files: it has an origin

  std::string verdicts_text() const { return verdicts_json(*verdicts, names, verdicts_complete); }
};

bool is_otlp(PushForm form) { return form == PushForm::kOtlp || form == PushForm::kOtlpGrpc; }

net::HttpResponse refuse(PushForm form, int status, std::string_view text) {
  if (form != PushForm::kOtlp) return plain_error(status, text);
  if (status == 500) status = 503;  // collectors retry only then
  net::HttpResponse response = net::HttpResponse::empty(status);
  response.headers.add("Content-Type", "application/octet-stream");
  response.body = encode_rpc_status(text);
  return response;
}

net::HttpResponse answer_rejections(PushForm form, int status, std::string_view text) {
  if (status == 200) return net::HttpResponse::empty(204);  // `block_ingestion_status_code: 200`
  return refuse(form, status, text);
}

net::HttpResponse answer_error(PushForm form, const Error& error) {
  const bool busy = error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kLimitExceeded;
  auto response = refuse(form, error.code() == ErrorCode::kLimitExceeded ? 429 : status_of(error), error.message());
  if (busy) response.headers.add("Retry-After", "1");
  return response;
}

std::uint64_t memory_share(const ServerConfig& config) {
  return std::max(effective_memory_limit(config.kvasir) / 32, kDecompressedAlwaysAllowed);
}

/// What the configuration allows, but no body may fill the memory of the process.
std::uint64_t decompressed_max(const ServerConfig& config) {
  return std::min(config.ingester.max_decompressed_size, memory_share(config));
}

class PushHandler {
 public:
  explicit PushHandler(const Services& services)
      : services_(services), validator_(services.clock), metrics_(services.metrics.registry()),
        body_limits_{services.config.ingester.max_recv_msg_size, decompressed_max(services.config),
                     memory_share(services.config)} {}

  void handle(PushForm form, net::HttpRequest request, const std::shared_ptr<net::HttpReply>& reply) {
    const auto context = services_.gate.single_tenant(request, *reply, Role::kWrite);
    if (!context) return;
    auto pending = std::make_shared<Pending>();
    pending->reply = reply;
    pending->form = form;
    pending->origin = origin_of(*context, form);
    pending->json = is_json(request);
    if (net::equal_ignore_case(request.headers.value_or_empty("X-Kvasir-Verdicts"), "true"))
      pending->verdicts = std::make_shared<ingest::PushVerdicts>();
    auto origin = push_origin(request.headers);
    if (!origin) return reply->send(refuse(form, 400, origin.error().message()));
    const std::shared_ptr<const ingest::TenantLimits> limits(context->settings, &context->settings->write);
    auto decoded = decode_push({form, body_limits_, limits->otlp_config, services_.clock.now(), pool_}, request);
    if (const auto* refusal = std::get_if<Refusal>(&decoded)) return answer(*pending, *refusal);
    if (auto taken = take_covers(*std::get<0>(decoded), *origin); !taken)
      return reply->send(refuse(form, 400, taken.error().message()));
    pending->keeps_ledger = origin->has_value();
    pending->entries = std::get<0>(decoded)->entries.size();
    if (pending->verdicts != nullptr && is_otlp(form)) pending->names = LineNames(*std::get<0>(decoded));
    if (*origin && !(*origin)->covers.empty() && std::get<0>(decoded)->streams.empty())
      return store_covers(context->tenant, *std::move(*origin), std::move(pending));
    auto outcome = validator_.validate(context->tenant, std::move(std::get<0>(decoded)), limits, pending->verdicts);
    if (const auto* refusal = std::get_if<Refusal>(&outcome)) return answer(*pending, *refusal);
    store(std::move(std::get<Validated>(outcome)), *origin, std::move(pending));
  }

 private:
  static PushMetrics::Origin origin_of(const RequestContext& context, PushForm form) {
    const auto hours =
        std::chrono::duration_cast<std::chrono::hours>(context.settings->retention.retention_period).count();
    return {context.tenant, hours > 0 ? std::to_string(hours) : "", is_otlp(form) ? "otlp" : "loki"};
  }

  /// What the push says about files is worth something only if it is known when it comes again.
  static Result<void> take_covers(ingest::DecodedPush& push, std::optional<ingest::PushOrigin>& origin) {
    if (!origin || push.covers.empty()) return {};
    KVASIR_CHECK_OK(ingest::decode_covers(push.covers));
    origin->covers = std::move(push.covers);
    return {};
  }

  /// A push without lines: the agent tells what it read and left out.
  void store_covers(const std::string& tenant, ingest::PushOrigin origin, std::shared_ptr<Pending> pending) {
    ingest::PushBatch batch;
    batch.tenant = tenant;
    batch.origin = std::move(origin);
    services_.ingester.push(std::move(batch),
                            [this, pending](Result<Rejections> result) { finish(*pending, std::move(result)); });
  }

  void answer(const Pending& pending, const Refusal& refusal) {
    metrics_.discarded(pending.origin, refusal.counted);
    pending.reply->send(refuse(pending.form, refusal.status, refusal.message));
  }

  void store(Validated validated, const std::optional<ingest::PushOrigin>& origin, std::shared_ptr<Pending> pending) {
    metrics_.received(pending->origin, validated.batch.entry_count, validated.batch.bytes);
    pending->refused = std::move(validated.rejections);
    pending->rate_refused = std::move(validated.rate_rejections);
    metrics_.discarded(pending->origin, pending->refused);
    metrics_.discarded(pending->origin, pending->rate_refused);
    if (validated.batch.empty()) return finish(*pending, Rejections());
    const bool whole = pending->refused.empty() && pending->rate_refused.empty();
    if (whole) validated.batch.origin = origin;
    if (pending->verdicts != nullptr) look_for_stored(validated.batch, *pending);
    services_.ingester.push(std::move(validated.batch),
                            [this, pending](Result<Rejections> result) { finish(*pending, std::move(result)); });
  }

  /// Says in the verdicts which lines were there before. One push at a time: this may read segments for as long as
  /// kLookForStoredMax, and the threads are few that take everybody's pushes.
  void look_for_stored(const ingest::PushBatch& batch, Pending& pending) {
    pending.verdicts_complete = !looking_.exchange(true);
    if (!pending.verdicts_complete) return;
    mark_stored(batch, pending);
    looking_ = false;
  }

  void mark_stored(const ingest::PushBatch& batch, Pending& pending) {
    MemoryBudget budget("verdicts", 0, &services_.query_budget);
    logql::QueryContext context(services_.clock, services_.clock.steady() + kLookForStoredMax,
                                pending.reply->stop_token(), budget, {});
    const auto marked = mark_stored_lines(batch, services_.store, context);
    pending.verdicts_complete = marked.has_value();
    if (marked) return;
    log::warn("push", "stored lines could not be looked for",
              {{"tenant", batch.tenant}, {"error", marked.error().message()}});
  }

  /// Storage's refusals come before the validator's: they are the ones worth a retry.
  void finish(Pending& pending, Result<Rejections> result) {
    if (!result) return pending.reply->send(answer_error(pending.form, result.error()));
    metrics_.discarded(pending.origin, *result);
    if (is_otlp(pending.form)) {
      if (const auto partial = partial_success(pending, *result)) return send_otlp(pending, *partial);
    }
    for (const Rejections* refused : {&*result, &pending.rate_refused}) {
      if (refused->empty()) continue;
      return send(pending, answer_rejections(pending.form, refused->status(), refused->first_message()));
    }
    if (pending.refused.empty()) return send(pending, net::HttpResponse::empty(204));
    send(pending, answer_rejections(pending.form, pending.refused.status(), pending.refused.text()));
  }

  /// What OTLP has words for: some records are stored, and sending the others again would not help. Who asks for
  /// verdicts over gRPC gets them so when nothing is stored, too: an error has no room for them.
  static std::optional<OtlpPartial> partial_success(const Pending& pending, const Rejections& stored) {
    OtlpPartial partial;
    for (const Rejections* refused : {&stored, &pending.refused, &pending.rate_refused}) {
      if (refused->empty()) continue;
      if (refused->status() != 400) return std::nullopt;
      partial.rejected += refused->refused_entries();
      partial.message += (partial.message.empty() ? "" : "; ") + refused->text();
    }
    const bool whole_too = pending.verdicts != nullptr && pending.form == PushForm::kOtlpGrpc;
    if (partial.message.empty() || (partial.rejected >= pending.entries && !whole_too)) return std::nullopt;
    return partial;
  }

  static void send_otlp(Pending& pending, const OtlpPartial& partial) {
    if (pending.json) return send(pending, net::HttpResponse::json(200, otlp_response_json(partial)));
    net::HttpResponse response = net::HttpResponse::empty(200);
    response.headers.set("Content-Type", "application/x-protobuf");
    const bool asked = pending.verdicts != nullptr && pending.form == PushForm::kOtlpGrpc;
    response.body = encode_otlp_response(partial, asked ? pending.verdicts_text() : "");
    send(pending, std::move(response));
  }

  /// What becomes of each line, when the client asked: the status stays, but 204 becomes 200, for it has a body.
  static net::HttpResponse with_verdicts(const Pending& pending, net::HttpResponse response) {
    auto out = net::HttpResponse::json(response.status == 204 ? 200 : response.status, pending.verdicts_text());
    if (const auto wait = response.headers.get("Retry-After")) out.headers.set("Retry-After", std::string(*wait));
    return out;
  }

  static void send(const Pending& pending, net::HttpResponse response) {
    if (pending.verdicts != nullptr) {
      if (pending.form != PushForm::kOtlpGrpc) {
        response = with_verdicts(pending, std::move(response));
      } else if (response.status == 204) {
        response = net::HttpResponse::empty(200);
        response.body = encode_otlp_response({}, pending.verdicts_text());
      }
    }
    if (pending.keeps_ledger) response.headers.set("X-Kvasir-Ledger", "1");
    pending.reply->send(std::move(response));
  }

  const Services& services_;
  ingest::PushValidator validator_;
  PushMetrics metrics_;
  const PushBodyLimits body_limits_;
  ingest::PushPool pool_;
  std::atomic<bool> looking_{false};  // for stored lines, for some push
};

}  // namespace

void add_push_routes(net::HttpServer& server, net::GrpcServer* grpc, const Services& services) {
  const auto handler = std::make_shared<PushHandler>(services);
  const auto add = [&](const char* pattern, PushForm form) {
    net::HttpRoute route;
    route.methods = {"POST"};
    route.pattern = pattern;
    route.pool = "ingest";
    route.body_bytes_max = services.config.ingester.max_recv_msg_size;
    route.handler = [handler, form](net::HttpRequest request, const std::shared_ptr<net::HttpReply>& reply) {
      handler->handle(form, std::move(request), reply);
    };
    server.add(std::move(route));
  };
  add("/loki/api/v1/push", PushForm::kV1);
  add("/api/prom/push", PushForm::kLegacy);
  add("/otlp/v1/logs", PushForm::kOtlp);
  if (grpc == nullptr) return;
  grpc->add("/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            [handler](net::HttpRequest request, const std::shared_ptr<net::HttpReply>& reply) {
              request.headers.set("Content-Type", "application/x-protobuf");
              handler->handle(PushForm::kOtlpGrpc, std::move(request), reply);
            });
}

}  // namespace kvasir::server
