#include "server/handlers/log_answer.h"

#include "common/json_writer.h"
#include "common/log.h"
#include "server/answer.h"
#include "server/answer_stream.h"
#include "server/encoding_flags.h"

namespace kvasir::server {
namespace {

constexpr const char* kJsonType = "application/json; charset=UTF-8";

struct LogForm {
  bool ndjson = false;
  bool cursors = false;         // the tenant is one: (timestamp, sequence) names an entry
  bool cursor_asked = false;
  net::ContentEncoding encoding{};
  EncodeOptions encode;
};

LogForm form_of(const Services& services, const QueryExchange& exchange) {
  LogForm form;
  form.ndjson = wants_ndjson(exchange.request);
  form.cursors = !exchange.tenants.several;
  form.cursor_asked = form.cursors && exchange.params.has("cursor");
  form.encoding = answer_encoding(exchange.request, services.config.querier.compress_responses);
  form.encode.encoding_flags = encoding_flags(exchange.request);
  form.encode.categorize = asks_for_categories(form.encode.encoding_flags);
  return form;
}

std::string cursor_text(const logql::LogPage& page) {
  return page.resume ? logql::format_cursor(*page.resume) : std::string();
}

/// One entry as a line of its own.
void append_row(std::string& out, const logql::PagedRow& row, const LogForm& form) {
  append_entry_object(out, row.entry, *row.labels, {form.encode.categorize, form.cursors});
  out += '\n';
}

/// Writes the pages of one answer into a stream.
class PageWriter {
 public:
  PageWriter(const LogForm& form, AnswerStream& stream) : form_(form), stream_(stream) {}

  void begin() {
    if (form_.ndjson) return;
    stream_.text() += "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",";
    if (!form_.encode.encoding_flags.empty()) {
      append_flags(stream_.text(), form_.encode.encoding_flags);
      stream_.text() += ',';
    }
    stream_.text() += "\"result\":[";
  }

  /// False: the client is gone.
  bool page(logql::LogPage page) {
    if (!form_.ndjson) {
      const auto grouped = logql::group_streams(std::move(page));
      for (const auto& stream : grouped.streams) {
        if (!one_stream(stream)) return false;
      }
      return true;
    }
    for (const auto& row : page.rows) {
      append_row(stream_.text(), row, form_);
      if (!stream_.flush_if_full()) return false;
    }
    return true;
  }

  void end(const PagedQuery& query, const std::string& cursor) {
    if (!form_.ndjson) {
      std::string& out = stream_.text();
      out += "],\"stats\":";
      append_stats(out, query.stats());
      if (form_.cursor_asked) {
        out += ",\"cursor\":";
        append_json_string(out, cursor);
      }
      out += '}';
      append_warnings(out, query.warnings());
      out += "}\n";
    }
    stream_.finish();
  }

 private:
  bool one_stream(const logql::ResultStream& stream) {
    std::string& out = stream_.text();
    out += first_ ? "{\"stream\":" : ",{\"stream\":";
    first_ = false;
    append_labels(out, stream.labels);
    out += ",\"values\":[";
    for (std::size_t i = 0; i < stream.entries.size(); ++i) {
      if (i > 0) out += ',';
      append_entry(out, stream.entries[i], form_.encode.categorize);
      if (!stream_.flush_if_full()) return false;
    }
    out += "]}";
    return true;
  }

  const LogForm& form_;
  AnswerStream& stream_;
  bool first_ = true;
};

/// All entries are in one page: the answer has a length, and its cursor stands in a header.
void send_whole(const LogForm& form, const PagedQuery& query, logql::LogPage page, net::HttpReply& reply) {
  net::HttpResponse response = net::HttpResponse::json(200, {});
  const std::string cursor = form.cursors ? cursor_text(page) : std::string();
  if (form.ndjson) {
    response.headers.set("Content-Type", kNdjsonType);
    for (const auto& row : page.rows) append_row(response.body, row, form);
  } else {
    EncodeOptions options = form.encode;
    options.warnings = query.warnings();
    if (form.cursor_asked) options.cursor = cursor;
    append_query_answer(response.body, logql::group_streams(std::move(page)), query.stats(), options);
  }
  if (!cursor.empty()) response.headers.set(kCursorHeader, cursor);
  compress_answer(response, form.encoding);
  reply.send(std::move(response));
}

/// The rest of an answer after its first page. Returning early drops the reply, which cuts the connection.
void send_pages(const LogForm& form, PagedQuery& query, logql::LogPage page,
                const std::shared_ptr<net::HttpReply>& reply) {
  AnswerStream stream(reply, form.ndjson ? kNdjsonType : kJsonType, form.encoding);
  PageWriter writer(form, stream);
  writer.begin();
  for (;;) {
    const bool last = page.last;
    const std::string cursor = cursor_text(page);
    if (!writer.page(std::move(page))) return;
    if (last) return writer.end(query, cursor);
    auto next = query.next();
    if (!next) {
      log::warn("query", "an answer was cut", {{"error", next.error().message()}});
      return;
    }
    page = std::move(*next);
  }
}

}  // namespace

bool wants_ndjson(const net::HttpRequest& request) {
  return request.headers.value_or_empty("Accept").find(kNdjsonType) != std::string_view::npos;
}

Result<std::optional<EntryPosition>> resume_position(const QueryExchange& exchange) {
  const auto cursor = exchange.params.value_or_empty("cursor");
  if (cursor.empty()) return std::nullopt;
  if (exchange.tenants.several) return fail(ErrorCode::kInvalidArgument, "a cursor belongs to one tenant");
  return logql::parse_cursor(cursor).map([](EntryPosition position) { return std::optional(position); });
}

void answer_log_query(const Services& services, const QueryExchange& exchange, std::shared_ptr<PagedQuery> query,
                      const std::shared_ptr<net::HttpReply>& reply) {
  auto first = query->next();
  if (!first) return reply->send(bare_error(first.error()));
  const auto form = std::make_shared<const LogForm>(form_of(services, exchange));
  if (first->last) return send_whole(*form, *query, std::move(*first), *reply);
  const auto page = std::make_shared<logql::LogPage>(std::move(*first));
  const auto rest = [form, query = std::move(query), page, reply] {
    send_pages(*form, *query, std::move(*page), reply);
  };
  if (services.answers.post(rest)) return;
  auto busy = bare_error(429, "too many long answers are on their way, try again");
  busy.headers.set("Retry-After", "1");
  reply->send(std::move(busy));
}

}  // namespace kvasir::server
