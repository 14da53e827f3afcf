// The keys of the file itself and of its small blocks.
#include "promtail-agent/config/blocks.h"

namespace kvasir::agent {

namespace {

constexpr std::string_view kMetricsSchemas[] = {"auto", "strict", "simplified"};

void describe_global(Fields& f, Config& config) {
  f.block({"file_watch_config", "where inotify does not work"}, "file.WatchConfig", nullptr, [&config](Fields& w) {
    config.poll_line = w.line();
    w.duration({"min_poll_frequency", "shortest time between two looks at a file"}, config.poll_min);
    w.duration({"max_poll_frequency", "longest, when it does not change"}, config.poll_max);
  });
  f.duration({"shutdown_timeout", "after SIGTERM: send what is queued, then end"}, config.shutdown_timeout);
  f.word({"metrics_schema", "forms of the metrics stage: both, Promtail's, the flat one"}, config.metrics_schema,
         kMetricsSchemas);
}

void describe_positions(Fields& f, PositionsConfig& positions) {
  f.text({"filename", "Promtail's file is read and kept up; what is ours lies beside it"}, positions.filename);
  f.demand(!positions.filename.empty(), "filename", "filename \"\": the positions need a file");
  f.some_time({"sync_period", "how often it is written"}, positions.sync_period);
  f.flag({"ignore_invalid_yaml", "start without positions when the file cannot be read"},
         positions.ignore_invalid_yaml);
}

void describe_limits(Fields& f, LimitsConfig& limits) {
  f.number({"readline_rate", "lines per second of the whole agent"}, limits.readline_rate);
  f.integer({"readline_burst", "lines at once"}, limits.readline_burst);
  f.flag({"readline_rate_enabled", "heed readline_rate"}, limits.readline_rate_enabled);
  f.flag({"readline_rate_drop", "drop what is over it; false: wait"}, limits.readline_rate_drop);
  const bool rate_works = !limits.readline_rate_enabled || (limits.readline_rate > 0 && limits.readline_burst > 0);
  f.advise(rate_works, "readline_rate_enabled",
           "readline_rate_enabled: with a readline_rate or readline_burst of 0 no line passes");
  f.integer({"max_streams", "active streams of a client; 0: any number"}, limits.max_streams);
  f.bytes({"max_line_size", "longest line that is sent; 0: any"}, limits.max_line_size);
  f.flag({"max_line_size_truncate", "cut longer lines instead of dropping them"}, limits.max_line_size_truncate);
}

void describe_spool(Fields& f, SpoolConfig& spool) {
  using Mode = SpoolConfig::Mode;
  f.flag({"enabled", "false: as mode off"}, spool.enabled);
  f.choice<Mode>({"mode", "off, overflow (what memory cannot hold), always (every batch before it is sent)"}, spool.mode,
                 {{"off", Mode::kOff}, {"overflow", Mode::kOverflow}, {"always", Mode::kAlways}});
  f.choice<bool>({"when_full", "block (the sources wait) or drop_oldest"}, spool.drop_oldest,
                 {{"block", false}, {"drop_oldest", true}});
  f.text({"directory", "default: the positions file's name with .spool"}, spool.directory);
  f.bytes({"max_bytes", "on disk, per client"}, spool.bytes_max);
  f.demand(spool.bytes_max > 0, "max_bytes", "max_bytes 0: must be greater than 0; to have no spool say mode: off");
  f.bytes({"memory_bytes", "waiting batches in memory, per client"}, spool.memory_bytes_max);
  f.demand(spool.memory_bytes_max > 0, "memory_bytes", "memory_bytes 0: must be greater than 0");
  f.flag({"fsync", "sync each batch"}, spool.fsync);
}

void describe_wal(Fields& f, WalConfig& wal) {
  f.flag({"enabled", "as `spool: {mode: always}`"}, wal.enabled);
  f.text({"dir", "the spool's directory"}, wal.directory);
  f.accept({"cleanSegmentsOlderThan", "watchConfig"}, "what is acknowledged is removed at once");
}

}  // namespace

void describe_config(Fields& f, ConfigFile& file) {
  Config& config = file.config;
  f.block({"global", ""}, "config.GlobalConfig", nullptr, [&](Fields& g) { describe_global(g, config); });
  f.block({"server", "the agent's pages"}, "server.Config", nullptr, [&](Fields& s) { describe_server(s, config.server); });
  f.block({"client", "old form of one client; goes behind `clients`"}, "client.Config", &file.has_client,
          [&](Fields& c) { describe_client(c, file.client); });
  f.blocks({"clients", "servers to push to"}, "client.Config", config.clients, describe_client);
  f.block({"positions", ""}, "positions.Config", nullptr,
          [&](Fields& p) { describe_positions(p, config.positions); });
  f.blocks({"scrape_configs", "sources"}, "scrapeconfig.Config", config.scrape_configs, describe_scrape);
  f.block({"target_config", ""}, "file.Config", nullptr, [&](Fields& t) {
    t.some_time({"sync_period", "how often patterns are matched again"}, config.sync_period);
    t.flag({"stdin", "as -stdin"}, config.stdin_target);
  });
  f.block({"limits_config", ""}, "limit.Config", nullptr, [&](Fields& l) { describe_limits(l, config.limits); });
  f.block({"spool", "batches on disk, see [delivery](delivery.md)"}, "spool.Config", &config.spool.chosen,
          [&](Fields& s) { describe_spool(s, config.spool); });
  f.block({"wal", ""}, "wal.Config", nullptr, [&](Fields& w) { describe_wal(w, config.wal); });
  f.block({"options", "has no keys"}, "config.Options", nullptr, [](Fields&) {});
  f.accept({"tracing"}, "the agent sends no spans");
}

}  // namespace kvasir::agent
