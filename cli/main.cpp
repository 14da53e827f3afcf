// kvasirctl: queries a Loki-compatible server from a terminal. Commands and flags are those of logcli.
#include <unistd.h>

#include <iostream>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/local.h"
#include "cli/segments.h"

namespace kvasir::cli {
namespace {

constexpr const char* kVersion = "kvasirctl 0.1.0";

struct GlobalFlags {
  ConnectionOptions connection;
  std::string output = "default";
  std::string timezone = "Local";
  std::string timestamp_format = "rfc3339";
  bool statistics = false;
};

void add_connection_flags(CLI::App& app, GlobalFlags& flags) {
  auto& c = flags.connection;
  app.add_option("--addr", c.address, "server address")->envname("LOKI_ADDR");
  app.add_option("--username", c.username, "user for basic authentication")->envname("LOKI_USERNAME");
  app.add_option("--password", c.password, "password for basic authentication")->envname("LOKI_PASSWORD");
  app.add_option("--bearer-token", c.bearer_token, "token sent as bearer")->envname("LOKI_BEARER_TOKEN");
  app.add_option("--bearer-token-file", c.bearer_token_file, "file that holds the token")->envname("LOKI_BEARER_TOKEN_FILE");
  app.add_option("--auth-header", c.auth_header, "header that carries the credentials")->envname("LOKI_AUTH_HEADER");
  app.add_option("--org-id", c.org_id, "tenant, sent as X-Scope-OrgID")->envname("LOKI_ORG_ID");
  app.add_option("--query-tags", c.query_tags, "sent as X-Query-Tags")->envname("LOKI_QUERY_TAGS");
  app.add_option("--proxy-url", c.proxy_url, "HTTP proxy")->envname("LOKI_HTTP_PROXY_URL");
  app.add_option("--ca-cert", c.tls.ca_file, "certificates to trust (PEM)")->envname("LOKI_CA_CERT_PATH");
  app.add_option("--cert", c.tls.cert_file, "client certificate (PEM)")->envname("LOKI_CLIENT_CERT_PATH");
  app.add_option("--key", c.tls.key_file, "key of the client certificate (PEM)")->envname("LOKI_CLIENT_KEY_PATH");
  app.add_flag("--tls-skip-verify", c.tls.insecure_skip_verify, "do not verify the server")->envname("LOKI_TLS_SKIP_VERIFY");
  app.add_option("--retries", c.retries, "tries more after an error")->envname("LOKI_CLIENT_RETRIES");
  app.add_flag("--no-cache", c.no_cache, "ask the server not to cache")->envname("LOKI_NO_CACHE");
  app.add_flag("-q,--quiet", c.quiet, "only results");
  app.add_option("-o,--output", flags.output, "default, raw, jsonl or table");
  app.add_option("-z,--timezone", flags.timezone, "Local or UTC");
  app.add_option("--output-timestamp-format", flags.timestamp_format, "rfc3339 or rfc3339nano");
  app.add_flag("--stats", flags.statistics, "show the server's statistics of the query");
}

void add_time_flags(CLI::App& command, TimeFlags& times) {
  command.add_option("--since", times.since, "how far back from the end, like 1h");
  command.add_option("--from", times.from, "start (RFC 3339)");
  command.add_option("--to", times.to, "end (RFC 3339), not included");
}

void add_entry_flags(CLI::App& command, QueryFlags& flags) {
  command.add_option("query", flags.query, "LogQL")->required();
  command.add_option("--limit", flags.limit, "entries to print; 0 = all in the range");
  command.add_flag("--forward", flags.forward, "oldest first");
  command.add_flag("--no-labels", flags.print.no_labels, "do not print labels");
  command.add_option("--exclude-label", flags.print.exclude_labels, "label not to print (repeatable)")->allow_extra_args(false);
  command.add_option("--include-label", flags.print.include_labels, "print only this label (repeatable)")->allow_extra_args(false);
  command.add_flag("--include-common-labels", flags.print.include_common_labels, "print labels that all streams share, too");
  command.add_option("--labels-length", flags.print.labels_length, "pad labels to this width");
  command.add_flag("--colored-output", flags.print.colour, "colour labels by stream, terminal or not");
  command.add_option("--delay-for", flags.delay_for, "seconds to wait for late entries when tailing");
}

Result<void> finish_print_options(const GlobalFlags& global, QueryFlags& flags) {
  KVASIR_TRY(flags.print.mode, parse_output_mode(global.output));
  flags.print.terminal = isatty(STDOUT_FILENO) == 1;
  flags.print.colour = flags.print.colour || flags.print.terminal;
  if (global.timezone != "Local" && global.timezone != "UTC") {
    return fail(ErrorCode::kInvalidArgument, "--timezone must be Local or UTC, got \"" + global.timezone + "\"");
  }
  flags.print.utc = global.timezone == "UTC";
  flags.print.nanoseconds = global.timestamp_format == "rfc3339nano";
  flags.print.quiet = global.connection.quiet;
  flags.statistics = global.statistics;
  return {};
}

// All commands with the flags they fill; what() runs the one that was named.
class Program {
 public:
  Program() {
    app_.set_version_flag("--version", kVersion);
    app_.require_subcommand(1);
    app_.fallthrough();
    add_connection_flags(app_, global_);
    app_.add_flag("--stdin", local_.standard_input, "query standard input instead of a server");
    query_ = app_.add_subcommand("query", "entries of a log query, or a metric query over a range");
    add_entry_flags(*query_, flags_);
    add_time_flags(*query_, flags_.times);
    query_->add_option("--step", flags_.step, "resolution of a metric query, like 1m");
    query_->add_option("--interval", flags_.interval, "at most one entry in this time");
    query_->add_option("--batch", flags_.batch, "entries fetched at a time")->check(CLI::Range(1, 5000));
    query_->add_flag("-t,--tail,-f,--follow", flags_.tail, "go on printing new entries");
    add_local_flags(*query_);
    instant_ = app_.add_subcommand("instant-query", "a metric query at one instant");
    add_entry_flags(*instant_, flags_);
    instant_->add_option("--now", flags_.now, "the instant (RFC 3339)");
    add_local_flags(*instant_);
    tail_ = app_.add_subcommand("tail", "print new entries as they arrive");
    add_entry_flags(*tail_, flags_);
    add_time_flags(*tail_, flags_.times);
    labels_ = app_.add_subcommand("labels", "names of labels, or the values of one");
    labels_->add_option("label", name_, "the label whose values are wanted");
    add_time_flags(*labels_, flags_.times);
    series_ = app_.add_subcommand("series", "label sets of the streams that match");
    series_->add_option("matcher", matchers_, "selectors like '{app=\"web\"}'")->required();
    series_->add_flag("--analyze-labels", analyse_, "how many values each label has");
    add_time_flags(*series_, flags_.times);
    stats_ = app_.add_subcommand("stats", "streams, chunks, entries and bytes of a selector");
    stats_->add_option("query", flags_.query, "selector")->required();
    add_time_flags(*stats_, flags_.times);
    volume_ = add_volume("volume", "bytes by stream over the range");
    volume_range_ = add_volume("volume_range", "bytes by stream and step");
    volume_range_->add_option("--step", flags_.step, "like 1m");
    inspect_ = app_.add_subcommand("inspect", "what is in a segment file, and where its bytes went");
    inspect_->add_option("segment", inspect_flags_.path, "the file")->required();
    inspect_->add_flag("--columns", inspect_flags_.columns, "bytes by column");
    inspect_->add_flag("--templates", inspect_flags_.templates, "the first templates of each block");
    verify_ = app_.add_subcommand("verify", "read every segment below a data folder whole");
    verify_->add_option("directory", name_, "the data folder")->required();
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error);
    }
    const auto outcome = what();
    if (outcome) return 0;
    std::cerr << "error: " << outcome.error().message() << "\n";
    return 1;
  }

 private:
  CLI::App* add_volume(const char* name, const char* text) {
    CLI::App* command = app_.add_subcommand(name, text);
    command->add_option("query", flags_.query, "selector")->required();
    command->add_option("--limit", flags_.limit, "series to print");
    add_time_flags(*command, flags_.times);
    return command;
  }

  void add_local_flags(CLI::App& command) {
    command.add_option("--files", local_.patterns, "query these files instead of a server (globs; .gz and .zst too; repeatable)")->allow_extra_args(false);
  }

  Result<void> what() {
    KVASIR_CHECK_OK(finish_print_options(global_, flags_));
    local_.instant = instant_->parsed();
    if (local_.standard_input || !local_.patterns.empty()) return run_local_query(local_, flags_);
    if (inspect_->parsed()) return run_inspect(inspect_flags_);
    if (verify_->parsed()) return run_verify(name_);
    KVASIR_TRY(const auto connection, Connection::open(global_.connection));
    if (tail_->parsed() || (query_->parsed() && flags_.tail)) return run_tail(*connection, flags_);
    if (query_->parsed()) return run_query(*connection, flags_);
    if (instant_->parsed()) return run_instant_query(*connection, flags_);
    if (labels_->parsed()) return run_labels(*connection, name_, flags_.times);
    if (series_->parsed()) return run_series(*connection, matchers_, flags_.times, analyse_);
    if (stats_->parsed()) return run_stats(*connection, flags_.query, flags_.times);
    return run_volume(*connection, flags_, volume_range_->parsed());
  }

  CLI::App app_{"kvasirctl: queries a Kvasir or Loki server from a terminal"};
  GlobalFlags global_;
  QueryFlags flags_;
  LocalFlags local_;
  InspectFlags inspect_flags_;
  std::string name_;
  std::vector<std::string> matchers_;
  bool analyse_ = false;
  CLI::App *query_, *instant_, *tail_, *labels_, *series_, *stats_, *volume_, *volume_range_, *inspect_, *verify_;
};

}  // namespace
}  // namespace kvasir::cli

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  return kvasir::cli::Program().run(argc, argv);
}
