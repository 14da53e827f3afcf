#include "server/handlers/ledger_routes.h"

#include "common/json_writer.h"
#include "common/number.h"
#include "ingest/ledger.h"
#include "server/answer.h"

namespace kvasir::server {
namespace {

void write_ranges(JsonWriter& w, const char* name, const ingest::ByteRanges& ranges) {
  w.key(name).begin_array();
  for (const auto& [begin, end] : ranges.ranges()) {
    w.begin_array().unsigned_integer(begin).unsigned_integer(end).end_array();
  }
  w.end_array();
}

void write_file(JsonWriter& w, const ingest::LedgerFile& file) {
  const ingest::FileIdentity& identity = file.identity;
  w.begin_object().key("file").string(file.file).key("path").string(identity.path);
  w.key("device").unsigned_integer(identity.device).key("inode").unsigned_integer(identity.inode);
  w.key("unit").string(identity.counts_lines ? "lines" : "bytes");
  w.key("head").begin_object().key("length").unsigned_integer(identity.head_length);
  w.key("hash").string(std::to_string(identity.head_hash)).end_object();
  w.key("entries").unsigned_integer(file.entries);
  write_ranges(w, "settled", file.settled);
  write_ranges(w, "again", file.again);
  w.key("left_out").begin_array();
  for (const ingest::LeftOut& left : file.left_out) {
    w.begin_object().key("reason").string(left.reason).key("lines").unsigned_integer(left.lines);
    write_ranges(w, "ranges", left.ranges);
    w.end_object();
  }
  w.end_array().end_object();
}

Result<ingest::LedgerQuery> parse_query(const net::HttpParams& params) {
  const auto number = [&](const char* name) -> Result<std::uint64_t> {
    const auto text = params.get(name);
    if (!text) return 0;
    const auto value = parse_uint64(*text);
    if (!value) return fail(ErrorCode::kInvalidArgument, std::string(name) + " is not a number");
    return *value;
  };
  ingest::LedgerQuery query;
  KVASIR_TRY(query.device, number("device"));
  KVASIR_TRY(query.inode, number("inode"));
  for (const auto path : params.all("path")) query.paths.emplace_back(path);
  if (query.inode == 0 && query.paths.empty()) return fail(ErrorCode::kInvalidArgument, "inode or path is missing");
  return query;
}

net::HttpResponse find_files(const Services& services, const std::string& tenant, const net::HttpRequest& request) {
  const auto query = parse_query(request.params);
  if (!query) return bare_error(query.error());
  std::string body;
  JsonWriter w(body);
  w.begin_object().key("status").string("success").key("data").begin_array();
  for (const auto& file : services.ingester.ledger().find(tenant, *query)) write_file(w, file);
  w.end_array().end_object();
  body += '\n';
  return json_answer(request, std::move(body), services.config.querier.compress_responses);
}

}  // namespace

void add_ledger_routes(net::HttpServer& server, const Services& services) {
  net::HttpRoute route;
  route.methods = {"GET"};
  route.pattern = "/api/v1/ledger";
  route.pool = "admin";
  route.handler = [&services](net::HttpRequest request, const std::shared_ptr<net::HttpReply>& reply) {
    const auto context = services.gate.single_tenant(request, *reply, Role::kRead);
    if (context) reply->send(find_files(services, context->tenant, request));
  };
  server.add(std::move(route));
}

}  // namespace kvasir::server
