// What reads rows: selection, stages, samples, entries in order, `stats` and the pipes behind it.
#include <algorithm>
#include <cmath>
#include <set>

#include "common/number.h"
#include "logql/pipeline/value_text.h"
#include "tests/property/naive_evaluator.h"

namespace kvasir::logql {

namespace {

using Cell = NaiveTable::Cell;
using CellRow = std::vector<Cell>;

std::string cell_text(const Cell& cell) {
  const auto* number = std::get_if<double>(&cell);
  return number != nullptr ? format_sample_value(*number) : std::get<std::string>(cell);
}

std::string column_text(const NaiveTable& table, const CellRow& row, const std::string& column) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (table.columns[i] == column) return cell_text(row[i]);
  }
  return "";
}

// ---- selectors over fields

/// One spelling for each level.
std::string level_of(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  static const std::map<std::string, std::string> kShort{
      {"trc", "trace"}, {"dbg", "debug"}, {"inf", "info"}, {"information", "info"}, {"warning", "warn"},
      {"wrn", "warn"}, {"err", "error"}, {"crit", "critical"}};
  static const std::set<std::string> kKnown{"trace", "debug", "info", "warn", "error", "critical", "fatal"};
  const auto it = kShort.find(text);
  const std::string level = it == kShort.end() ? text : it->second;
  return kKnown.contains(level) ? level : "";
}

bool stands_as_word(const std::string& line, const std::string& word) {
  const auto is_word = [&](std::size_t i) {
    return i < line.size() && (std::isalnum(static_cast<unsigned char>(line[i])) || line[i] == '_');
  };
  for (std::size_t at = line.find(word); at != std::string::npos; at = line.find(word, at + 1)) {
    if ((at == 0 || !is_word(at - 1)) && !is_word(at + word.size())) return true;
  }
  return false;
}

/// The ids that the generator makes: 32 hex digits, or ten decimal ones.
bool is_id(const std::string& text) {
  const bool hex = text.find_first_not_of("0123456789abcdef") == std::string::npos;
  const bool decimal = text.find_first_not_of("0123456789") == std::string::npos;
  return (hex && text.size() == 32) || (decimal && text.size() >= 10);
}

std::optional<std::string> field_of(const std::string& line, const std::string& name) {
  const auto start = line.find_first_not_of(" \t\r\n");
  const bool is_json = start != std::string::npos && line[start] == '{';
  const Stage stage = is_json ? Stage(JsonParser{}) : Stage(LogfmtParser{});
  PipelineRunner runner(*Pipeline::compile(std::span(&stage, 1), nullptr, {}));
  const Labels none;
  runner.bind(none);
  if (!runner.process({}, line, {})) return std::nullopt;
  const auto value = runner.label(name);
  return value ? std::optional(std::string(*value)) : std::nullopt;
}

// ---- order

bool ordered_before(const std::vector<OrderKey>& keys, const std::vector<std::string>& a,
                    const std::vector<std::string>& b) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (a[i].empty() != b[i].empty()) return b[i].empty();
    const int order = naive_compare(a[i], b[i]);
    if (order != 0) return keys[i].descending ? order > 0 : order < 0;
  }
  return false;
}

bool passes(const LabelFilter& filter, const Labels& labels) {
  const Stage stage(filter);
  PipelineRunner runner(*Pipeline::compile(std::span(&stage, 1), nullptr, {}));
  runner.bind(labels);
  return runner.process({}, {}, {}) && runner.error().empty();
}

// ---- stats

using Fields = std::map<std::string, std::string>;

std::string field_text(const Fields& fields, const std::string& name) {
  const auto it = fields.find(name);
  return it == fields.end() ? "" : it->second;
}

std::optional<double> number_of(const std::string& text) {
  std::string ignored;
  if (text.empty()) return std::nullopt;
  if (const auto number = parse_number_text(text, ignored)) return std::isnan(*number) ? std::nullopt : number;
  if (const auto duration = parse_duration_text(text, ignored)) return std::chrono::duration<double>(*duration).count();
  if (const auto bytes = parse_bytes_text(text, ignored)) return static_cast<double>(*bytes);
  return std::nullopt;
}

Cell stats_cell(const StatsColumn& column, const std::vector<const Fields*>& rows) {
  std::vector<double> numbers;
  std::set<std::string> texts;
  std::size_t filled = 0;
  double sum = 0;
  for (const Fields* row : rows) {
    const std::string text = field_text(*row, column.field);
    if (!text.empty()) {
      texts.insert(text);
      ++filled;
    }
    if (const auto number = number_of(text)) {
      numbers.push_back(*number);
      sum += *number;
    }
  }
  if (column.function == StatsFunction::kCount) return static_cast<double>(column.field.empty() ? rows.size() : filled);
  if (column.function == StatsFunction::kCountDistinct) return static_cast<double>(texts.size());
  if (numbers.empty()) return std::string();
  std::sort(numbers.begin(), numbers.end());
  const double rank = column.quantile * static_cast<double>(numbers.size() - 1);
  const auto low = static_cast<std::size_t>(rank);
  const double above = numbers[std::min(low + 1, numbers.size() - 1)];
  switch (column.function) {
    case StatsFunction::kSum: return sum;
    case StatsFunction::kAvg: return sum / static_cast<double>(numbers.size());
    case StatsFunction::kMin: return numbers.front();
    case StatsFunction::kMax: return numbers.back();
    default: return numbers[low] + (above - numbers[low]) * (rank - static_cast<double>(low));
  }
}

NaiveTable stats_of(const Stats& stats, const std::vector<Fields>& rows) {
  NaiveTable table;
  table.by_count = stats.by.size();
  table.columns = stats.by;
  for (const auto& column : stats.columns) table.columns.push_back(column.name);
  std::map<std::vector<std::string>, std::vector<const Fields*>> groups;
  if (stats.by.empty()) groups[{}];  // everything is one group, even if it is nothing
  for (const auto& row : rows) {
    std::vector<std::string> key;
    for (const auto& name : stats.by) key.push_back(field_text(row, name));
    groups[key].push_back(&row);
  }
  for (const auto& [key, members] : groups) {
    CellRow& row = table.rows.emplace_back(key.begin(), key.end());
    for (const auto& column : stats.columns) row.push_back(stats_cell(column, members));
  }
  return table;
}

void apply_pipe(NaiveTable& table, const Pipe& pipe) {
  if (const auto* limit = std::get_if<Limit>(&pipe))
    table.rows.resize(std::min<std::size_t>(table.rows.size(), limit->count));
  if (const auto* filter = std::get_if<LabelFilter>(&pipe)) {
    std::erase_if(table.rows, [&](const CellRow& row) {
      Labels labels;
      for (std::size_t i = 0; i < row.size(); ++i) labels.set(table.columns[i], cell_text(row[i]));
      return !passes(*filter, labels);
    });
  }
  if (const auto* order = std::get_if<OrderBy>(&pipe)) {
    const auto keys = [&](const CellRow& row) {
      std::vector<std::string> out;
      for (const auto& key : order->keys) out.push_back(column_text(table, row, key.field));
      return out;
    };
    std::stable_sort(table.rows.begin(), table.rows.end(),
                     [&](const auto& a, const auto& b) { return ordered_before(order->keys, keys(a), keys(b)); });
  }
  if (const auto* stats = std::get_if<Stats>(&pipe)) {
    std::vector<Fields> rows;
    for (const auto& row : table.rows) {
      Fields& fields = rows.emplace_back();
      for (std::size_t i = 0; i < row.size(); ++i) fields[table.columns[i]] = cell_text(row[i]);
    }
    table = stats_of(*stats, rows);
  }
}

Fields fields_of(const Labels& labels, TimestampNs timestamp, const std::string& line) {
  Fields fields;
  for (const auto& label : labels) fields[label.name] = label.value;
  fields["line"] = line;
  fields["timestamp"] = std::to_string(timestamp.value);
  return fields;
}

}  // namespace

int naive_compare(const std::string& a, const std::string& b) {
  // Whole numbers are compared in full: ids and nanoseconds have more digits than a double.
  const auto digits = [](std::string text) -> std::optional<std::string> {
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
    return text.erase(0, std::min(text.find_first_not_of('0'), text.size() - 1));
  };
  const auto m = digits(a);
  const auto n = digits(b);
  if (m && n) return m->size() != n->size() ? (m->size() < n->size() ? -1 : 1) : m->compare(*n);
  const auto x = number_of(a);
  const auto y = number_of(b);
  if (x && y) return *x < *y ? -1 : *x > *y;
  if (x || y) return x ? -1 : 1;
  return a.compare(b);
}

NaiveEvaluator::NaiveEvaluator(std::vector<NaiveRow> rows) {
  std::set<std::tuple<Labels, std::int64_t, std::string>> seen;
  for (NaiveRow& row : rows) {
    if (seen.emplace(row.stream, row.timestamp.value, row.line).second) rows_.push_back(std::move(row));
  }
  std::stable_sort(rows_.begin(), rows_.end(), [](const NaiveRow& a, const NaiveRow& b) {
    return std::tie(a.timestamp, a.sequence) < std::tie(b.timestamp, b.sequence);
  });
}

bool NaiveEvaluator::selects_by_field(const LabelMatcher& matcher, const NaiveRow& row) const {
  const bool equal = matcher.op() == MatchOp::kEqual;
  const std::string level = equal && matcher.name() == "level" ? level_of(matcher.value()) : "";
  const auto matches = [&](const std::string& value) {
    return level.empty() ? matcher.matches(value) : level_of(value) == level;
  };
  for (const auto& label : row.metadata) {
    if (label.name == matcher.name() && matches(label.value)) return true;
  }
  if (equal && is_id(matcher.value()) && stands_as_word(row.line, matcher.value())) return true;
  if (equal && level.empty() && row.line.find(matcher.value()) == std::string::npos) return false;
  const auto value = field_of(row.line, matcher.name());
  return value && matches(*value);
}

bool NaiveEvaluator::selects(const Selector& selector, const NaiveRow& row) const {
  return std::all_of(selector.matchers.begin(), selector.matchers.end(), [&](const LabelMatcher& matcher) {
    const bool positive = matcher.op() == MatchOp::kEqual || matcher.op() == MatchOp::kRegex;
    const bool known =
        std::any_of(rows_.begin(), rows_.end(), [&](const auto& r) { return r.stream.has(matcher.name()); });
    if (!options_.field_selectors || !positive || matcher.matches_empty() || known) return matcher.matches(row.stream);
    return selects_by_field(matcher, row);
  });
}

Result<std::vector<NaiveEvaluator::Processed>> NaiveEvaluator::process(const Selector& selector,
                                                                       const std::vector<Stage>& stages,
                                                                       const Unwrap* unwrap, TimeRange range) const {
  KVASIR_TRY(const auto pipeline, Pipeline::compile(stages, unwrap, {}));
  PipelineRunner runner(pipeline);
  std::vector<Processed> out;
  for (const NaiveRow& row : rows_) {
    if (!range.contains(row.timestamp) || !selects(selector, row)) continue;
    std::vector<LabelView> metadata;
    for (const Label& label : row.metadata) metadata.push_back({label.name, label.value});
    runner.bind(row.stream);
    if (!runner.process(row.timestamp, row.line, metadata)) continue;
    out.push_back({&row, runner.final_labels(), runner.labels_of(LabelCategory::kStream),
                   runner.labels_of(LabelCategory::kMetadata), runner.labels_of(LabelCategory::kParsed),
                   std::string(runner.line()), unwrap == nullptr ? 0 : runner.value(), std::string(runner.error())});
  }
  return out;
}

Result<NaiveEvaluator::Samples> NaiveEvaluator::samples(const RangeAggregation& aggregation, TimestampNs at) const {
  const LogRange& range = aggregation.range;
  const Unwrap* unwrap = range.unwrap ? &*range.unwrap : nullptr;
  const TimestampNs last = at - range.offset;
  const TimeRange window{last - range.range + Duration(1), last + Duration(1)};
  KVASIR_TRY(const auto rows, process(range.selector, range.stages, unwrap, window));
  // Metadata may carry a name like an error's; without a stage that can fail it means nothing.
  const bool can_fail = unwrap != nullptr || std::any_of(range.stages.begin(), range.stages.end(), [](const Stage& s) {
                          return !std::holds_alternative<LineFilter>(s);
                        });
  const bool counts_bytes = aggregation.op == RangeOp::kBytesOverTime || aggregation.op == RangeOp::kBytesRate;
  Samples out;
  for (const Processed& row : rows) {
    const bool forgiven = options_.forgive_parsers && (row.error == "JSONParserErr" || row.error == "LogfmtParserErr");
    if (can_fail && !row.error.empty() && !forgiven)
      return fail(ErrorCode::kInvalidArgument, "pipeline error: " + row.error);
    Labels labels = row.labels;
    const bool keeps_unwrapped = aggregation.grouping && !aggregation.grouping->without;
    if (unwrap != nullptr && !keeps_unwrapped) labels.erase(unwrap->label);
    if (aggregation.grouping) {
      const auto& names = aggregation.grouping->labels;
      Labels grouped;
      for (const auto& label : labels) {
        const bool named = std::find(names.begin(), names.end(), label.name) != names.end();
        if (named != aggregation.grouping->without) grouped.set(label.name, label.value);
      }
      labels = grouped;
    }
    const double value = unwrap != nullptr ? row.value : counts_bytes ? static_cast<double>(row.line.size()) : 1;
    out[labels].push_back({row.row->timestamp, value});
  }
  return out;
}

Result<std::vector<NaiveEntry>> NaiveEvaluator::entries(const LogQuery& query, TimeRange range, Direction direction,
                                                        std::size_t limit) const {
  KVASIR_TRY(auto rows, process(query.selector, query.stages, nullptr, range));
  std::vector<OrderKey> keys;
  for (const Pipe& pipe : query.pipes) {
    if (const auto* count = std::get_if<Limit>(&pipe)) limit = std::min<std::size_t>(limit, count->count);
    if (const auto* filter = std::get_if<LabelFilter>(&pipe)) {
      std::erase_if(rows, [&](const Processed& row) { return !passes(*filter, row.labels); });
    }
    // A later order decides first.
    if (const auto* order = std::get_if<OrderBy>(&pipe))
      keys.insert(keys.begin(), order->keys.begin(), order->keys.end());
  }
  // Rows that are equal in every key come by time, in the direction of the request or of the key that is the time
  // itself.
  bool backward = direction == Direction::kBackward;
  if (!keys.empty() && keys.front().field == "timestamp") backward = keys.front().descending;
  if (backward) std::reverse(rows.begin(), rows.end());
  const auto texts = [&](const Processed& row) {
    const Fields fields = fields_of(row.labels, row.row->timestamp, row.line);
    std::vector<std::string> out;
    for (const auto& key : keys) out.push_back(field_text(fields, key.field));
    return out;
  };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const Processed& a, const Processed& b) { return ordered_before(keys, texts(a), texts(b)); });
  if (rows.size() > limit) rows.resize(limit);
  const bool by_time = keys.empty() || (keys.size() == 1 && keys.front().field == "timestamp");
  std::vector<NaiveEntry> out;
  for (const auto& row : rows) {
    const TimestampNs time = row.row->timestamp;
    if (by_time && !out.empty() && std::chrono::abs(time - out.back().timestamp) < options_.interval) continue;
    if (options_.categorize) out.push_back({row.stream, time, row.line, row.metadata, row.parsed});
    else out.push_back({row.labels, time, row.line, {}, {}});
  }
  return out;
}

Result<NaiveTable> NaiveEvaluator::table(const LogQuery& query, TimeRange range) const {
  KVASIR_TRY(const auto rows, process(query.selector, query.stages, nullptr, range));
  std::vector<Fields> fields;
  for (const auto& row : rows) fields.push_back(fields_of(row.labels, row.row->timestamp, row.line));
  NaiveTable table;
  bool started = false;
  for (const Pipe& pipe : query.pipes) {
    const auto* stats = std::get_if<Stats>(&pipe);
    if (started) {
      apply_pipe(table, pipe);
    } else if (stats != nullptr) {
      table = stats_of(*stats, fields);
      started = true;
    } else if (const auto* filter = std::get_if<LabelFilter>(&pipe)) {
      std::erase_if(fields, [&](const Fields& row) {
        Labels labels;
        for (const auto& [name, value] : row) labels.set(name, value);
        return !passes(*filter, labels);
      });
    }
  }
  return table;
}

}  // namespace kvasir::logql
