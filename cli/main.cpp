// kvasirctl: queries a Loki-compatible server from a terminal. Commands and flags are those of logcli.
#include <unistd.h>

#include <functional>
#include <iostream>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/local.h"
#include "cli/segments.h"
#include "logql/syntax/error_hint.h"

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
  app.add_option("--bearer-token-file", c.bearer_token_file, "file that holds the token")
      ->envname("LOKI_BEARER_TOKEN_FILE");
  app.add_option("--auth-header", c.auth_header, "header that carries the credentials")->envname("LOKI_AUTH_HEADER");
  app.add_option("--org-id", c.org_id, "tenant, sent as X-Scope-OrgID")->envname("LOKI_ORG_ID");
  app.add_option("--query-tags", c.query_tags, "sent as X-Query-Tags")->envname("LOKI_QUERY_TAGS");
  app.add_option("--proxy-url", c.proxy_url, "HTTP proxy")->envname("LOKI_HTTP_PROXY_URL");
  app.add_option("--ca-cert", c.tls.ca_file, "certificates to trust (PEM)")->envname("LOKI_CA_CERT_PATH");
  app.add_option("--cert", c.tls.cert_file, "client certificate (PEM)")->envname("LOKI_CLIENT_CERT_PATH");
  app.add_option("--key", c.tls.key_file, "key of the client certificate (PEM)")->envname("LOKI_CLIENT_KEY_PATH");
  app.add_flag("--tls-skip-verify", c.tls.insecure_skip_verify, "do not verify the server")
      ->envname("LOKI_TLS_SKIP_VERIFY");
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
  command.add_option("--exclude-label", flags.print.exclude_labels, "label not to print (repeatable)")
      ->allow_extra_args(false);
  command.add_option("--include-label", flags.print.include_labels, "print only this label (repeatable)")
      ->allow_extra_args(false);
  command.add_flag("--include-common-labels", flags.print.include_common_labels,
                   "print labels that all streams share, too");
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

void add_volume_flags(CLI::App& command, VolumeFlags& flags) {
  command.add_option("query", flags.query, "selector")->required();
  command.add_option("--limit", flags.limit, "series to print");
  command.add_option("--targetLabels", flags.target_labels, "sum by these labels (a,b)")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_flag("--aggregateByLabels", flags.by_labels, "one sum for each label name");
  add_time_flags(command, flags.times);
}

// All commands, each with its flags and what it runs.
class Program {
 public:
  Program() {
    app_.set_version_flag("--version", kVersion);
    app_.require_subcommand(1);
    app_.fallthrough();
    add_connection_flags(app_, global_);
    app_.add_flag("--stdin", local_.standard_input, "query standard input instead of a server");
    add_query_commands();
    add_index_commands();
    add_delete_commands();
    add_file_commands();
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error);
    }
    const auto outcome = run_command();
    if (outcome) return 0;
    // Local queries explain their errors themselves: they may stand for a longer query than the one given.
    const bool explained = flags_.query.empty() || asks_files();
    const std::string& message = outcome.error().message();
    std::cerr << "error: " << (explained ? message : logql::explain_query_error(flags_.query, message)) << "\n";
    return 1;
  }

 private:
  using OnServer = std::function<Result<void>(Connection&)>;
  using Local = std::function<Result<void>()>;

  struct Command {
    CLI::App* app;
    OnServer on_server;
    Local local;  // instead, where the command needs no server
  };

  CLI::App& add(CLI::App& parent, const char* name, const char* text, OnServer on_server) {
    CLI::App* command = parent.add_subcommand(name, text);
    commands_.push_back({command, std::move(on_server), nullptr});
    return *command;
  }

  CLI::App& add_local(const char* name, const char* text, Local local) {
    CLI::App* command = app_.add_subcommand(name, text);
    commands_.push_back({command, nullptr, std::move(local)});
    return *command;
  }

  void add_query_commands() {
    query_ = &add(app_, "query", "entries of a log query, or a metric query over a range",
                          [this](Connection& c) { return flags_.tail ? run_tail(c, flags_) : run_query(c, flags_); });
    add_entry_flags(*query_, flags_);
    add_time_flags(*query_, flags_.times);
    query_->add_option("--step", flags_.step, "resolution of a metric query, like 1m");
    query_->add_option("--interval", flags_.interval, "at most one entry in this time");
    query_->add_option("--batch", flags_.batch, "entries fetched at a time")->check(CLI::Range(1, 5000));
    query_->add_flag("-t,--tail,-f,--follow", flags_.tail, "go on printing new entries");
    add_local_flags(*query_);
    instant_ = &add(app_, "instant-query", "a metric query at one instant",
                    [this](Connection& c) { return run_instant_query(c, flags_); });
    add_entry_flags(*instant_, flags_);
    instant_->add_option("--now", flags_.now, "the instant (RFC 3339)");
    add_local_flags(*instant_);
    CLI::App& tail =
        add(app_, "tail", "print new entries as they arrive", [this](Connection& c) { return run_tail(c, flags_); });
    add_entry_flags(tail, flags_);
    add_time_flags(tail, flags_.times);
    CLI::App& trace = add(app_, "trace", "the lines of one trace over all services, oldest first",
                          [this](Connection& c) { return run_trace(c, name_, trace_limit_, flags_.print); });
    trace.add_option("id", name_, "trace id, hexadecimal")->required();
    trace.add_option("--limit", trace_limit_, "lines to print");
    CLI::App& format =
        add_local("fmt", "a query as the server would write it", [this] { return run_format(flags_.query); });
    format.add_option("query", flags_.query, "LogQL; standard input if it is not given");
  }

  void add_index_commands() {
    CLI::App& labels = add(app_, "labels", "names of labels, or the values of one",
                           [this](Connection& c) { return run_labels(c, name_, flags_.times); });
    labels.add_option("label", name_, "the label whose values are wanted");
    add_time_flags(labels, flags_.times);
    CLI::App& series = add(app_, "series", "label sets of the streams that match",
                           [this](Connection& c) { return run_series(c, matchers_, flags_.times, analyse_); });
    series.add_option("matcher", matchers_, "selectors like '{app=\"web\"}'")->required();
    series.add_flag("--analyze-labels", analyse_, "how many values each label has");
    add_time_flags(series, flags_.times);
    CLI::App& stats = add(app_, "stats", "streams, chunks, entries and bytes of a selector",
                          [this](Connection& c) { return run_stats(c, flags_.query, flags_.times); });
    stats.add_option("query", flags_.query, "selector")->required();
    add_time_flags(stats, flags_.times);
    add_volume_flags(add(app_, "volume", "bytes by stream over the range",
                         [this](Connection& c) { return run_volume(c, volume_, flags_.print, false); }),
                     volume_);
    CLI::App& volume_range = add(app_, "volume_range", "bytes by stream and step",
                                 [this](Connection& c) { return run_volume(c, volume_, flags_.print, true); });
    add_volume_flags(volume_range, volume_);
    volume_range.add_option("--step", volume_.step, "like 1m");
    CLI::App& fields = add(app_, "detected-fields", "fields that the lines hold, or the values of one",
                           [this](Connection& c) { return run_detected_fields(c, fields_, flags_.print); });
    fields.add_option("query", fields_.query, "LogQL")->required();
    fields.add_option("field", fields_.field, "the field whose values are wanted");
    fields.add_option("--limit", fields_.limit, "fields to print");
    fields.add_option("--line-limit", fields_.line_limit, "lines to look at");
    add_time_flags(fields, fields_.times);
  }

  void add_delete_commands() {
    CLI::App& group = *app_.add_subcommand("delete", "requests that delete lines");
    group.require_subcommand(1);
    CLI::App& create = add(group, "create", "delete the lines of a query",
                           [this](Connection& c) { return run_delete_create(c, delete_); });
    create.add_option("query", delete_.query, "selector, line filters allowed")->required();
    create.add_option("--from", delete_.times.from, "start (RFC 3339)")->required();
    create.add_option("--to", delete_.times.to, "end (RFC 3339); now if it is not given");
    create.add_option("--max-interval", delete_.max_interval, "longest piece deleted at once, like 12h");
    add(group, "list", "requests and how far they are",
        [this](Connection& c) { return run_delete_list(c, flags_.print); });
    CLI::App& cancel =
        add(group, "cancel", "take a request back", [this](Connection& c) { return run_delete_cancel(c, delete_); });
    cancel.add_option("request-id", delete_.request_id, "as list prints it")->required();
    cancel.add_flag("--force", delete_.force, "even if a part of it is done");
  }

  void add_file_commands() {
    CLI::App& inspect = add_local("inspect", "what is in a segment file, and where its bytes went",
                                  [this] { return run_inspect(inspect_flags_); });
    inspect.add_option("segment", inspect_flags_.path, "the file")->required();
    inspect.add_flag("--columns", inspect_flags_.columns, "bytes by column");
    inspect.add_flag("--templates", inspect_flags_.templates, "the first templates of each block");
    CLI::App& verify =
        add_local("verify", "read every segment below a data folder whole", [this] { return run_verify(name_); });
    verify.add_option("directory", name_, "the data folder")->required();
  }

  void add_local_flags(CLI::App& command) {
    command
        .add_option("--files", local_.patterns,
                    "query these files instead of a server (globs; .gz and .zst too; repeatable)")
        ->allow_extra_args(false);
  }

  bool asks_files() const { return local_.standard_input || !local_.patterns.empty(); }

  Result<void> run_command() {
    KVASIR_CHECK_OK(finish_print_options(global_, flags_));
    local_.instant = instant_->parsed();
    if (local_.standard_input && !query_->parsed() && !instant_->parsed()) {
      return fail(ErrorCode::kInvalidArgument, "--stdin is for query and instant-query");
    }
    if (asks_files()) return run_local_query(local_, flags_);
    for (const Command& command : commands_) {
      if (!command.app->parsed()) continue;
      if (command.local) return command.local();
      KVASIR_TRY(const auto connection, Connection::open(global_.connection));
      return command.on_server(*connection);
    }
    return fail(ErrorCode::kInternal, "no command was given");
  }

  CLI::App app_{"kvasirctl: queries a Kvasir or Loki server from a terminal"};
  std::vector<Command> commands_;
  CLI::App* query_ = nullptr;
  CLI::App* instant_ = nullptr;
  GlobalFlags global_;
  QueryFlags flags_;
  LocalFlags local_;
  InspectFlags inspect_flags_;
  VolumeFlags volume_;
  FieldFlags fields_;
  DeleteFlags delete_;
  std::string name_;
  std::vector<std::string> matchers_;
  bool analyse_ = false;
  std::uint32_t trace_limit_ = 1000;
};

}  // namespace
}  // namespace kvasir::cli

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  return kvasir::cli::Program().run(argc, argv);
}
