#include "cli/print.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <ostream>

#include <fmt/format.h>

#include "common/json_writer.h"
#include "common/number.h"

namespace kvasir::cli {
namespace {

constexpr std::array<std::string_view, 6> kColours{"\x1b[32m", "\x1b[33m", "\x1b[34m",
                                                   "\x1b[35m", "\x1b[36m", "\x1b[31m"};
constexpr std::string_view kPlain = "\x1b[0m";

void write_labels(JsonWriter& json, const Labels& labels) {
  json.begin_object();
  for (const auto& label : labels) json.key(label.name).string(label.value);
  json.end_object();
}

std::string seconds_text(std::int64_t timestamp_ms) {
  return format_sample_value(static_cast<double>(timestamp_ms) / 1000);
}

std::string local_rfc3339(TimestampNs timestamp, bool nanoseconds) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(Duration(timestamp.value));
  const std::int64_t ns = (Duration(timestamp.value) - whole).count();
  const std::time_t seconds = whole.count();
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char date[40];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  const long minutes = parts.tm_gmtoff / 60;
  const std::string fraction = nanoseconds ? fmt::format(".{:09}", ns) : "";
  return minutes == 0 ? fmt::format("{}{}Z", date, fraction)
                      : fmt::format("{}{}{}{:02}:{:02}", date, fraction, minutes < 0 ? '-' : '+',
                                    std::labs(minutes) / 60, std::labs(minutes) % 60);
}

// One row a sample: the labels as columns, time (for a matrix), value.
void print_series_table(const std::vector<logql::Series>& all, bool with_time, std::ostream& out) {
  std::map<std::string, std::size_t> column_of;
  for (const auto& series : all) {
    for (const auto& label : series.labels) column_of.emplace(label.name, 0);
  }
  std::vector<std::string> names;
  for (auto& [name, column] : column_of) {
    column = names.size();
    names.push_back(name);
  }
  if (with_time) names.emplace_back("time");
  names.emplace_back("value");
  Rows rows;
  for (const auto& series : all) {
    for (const auto& point : series.points) {
      std::vector<std::string> row(names.size());
      for (const auto& label : series.labels) row[column_of[label.name]] = label.value;
      if (with_time) row[names.size() - 2] = format_rfc3339({point.timestamp_ms * 1'000'000});
      row.back() = format_sample_value(point.value);
      rows.push_back(std::move(row));
    }
  }
  print_columns(names, rows, out);
}

void write_point(JsonWriter& json, const logql::Point& point) {
  json.begin_array().raw(seconds_text(point.timestamp_ms)).string(format_sample_value(point.value)).end_array();
}

// One series a line inside a list: as easy to read as to feed to jq.
void print_series_json(const std::vector<logql::Series>& all, bool instant, std::ostream& out) {
  out << "[";
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::string text;
    JsonWriter json(text);
    json.begin_object().key("metric");
    write_labels(json, all[i].labels);
    json.key(instant ? "value" : "values");
    if (instant) {
      write_point(json, all[i].points.front());
    } else {
      json.begin_array();
      for (const auto& point : all[i].points) write_point(json, point);
      json.end_array();
    }
    json.end_object();
    out << (i == 0 ? "\n  " : ",\n  ") << text;
  }
  out << "\n]\n";
}

void print_series(const std::vector<logql::Series>& all, bool instant, const PrintOptions& options, std::ostream& out) {
  const bool table = options.mode == OutputMode::kTable || (options.mode == OutputMode::kDefault && options.terminal);
  if (table) {
    print_series_table(all, !instant, out);
  } else {
    print_series_json(all, instant, out);
  }
}

}  // namespace

Result<OutputMode> parse_output_mode(std::string_view name) {
  if (name == "default") return OutputMode::kDefault;
  if (name == "raw") return OutputMode::kRaw;
  if (name == "jsonl") return OutputMode::kJsonl;
  if (name == "table") return OutputMode::kTable;
  return fail(ErrorCode::kInvalidArgument,
              "--output must be one of default, raw, jsonl, table, got \"" + std::string(name) + "\"");
}

void print_columns(const std::vector<std::string>& names, const Rows& rows, std::ostream& out) {
  std::vector<std::size_t> widths;
  for (const auto& name : names) widths.push_back(name.size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto print_row = [&](const std::vector<std::string>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out << (i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]));
    }
    out << '\n';
  };
  print_row(names);
  for (const auto& row : rows) print_row(row);
}

std::vector<PrintEntry> in_answer_order(const std::vector<logql::ResultStream>& streams) {
  std::vector<PrintEntry> entries;
  for (const auto& stream : streams) {
    for (const auto& entry : stream.entries) entries.push_back({&stream.labels, &entry});
  }
  return entries;
}

std::vector<PrintEntry> in_time_order(const std::vector<logql::ResultStream>& streams, bool forward) {
  std::vector<PrintEntry> entries = in_answer_order(streams);
  std::stable_sort(entries.begin(), entries.end(), [forward](const PrintEntry& a, const PrintEntry& b) {
    return forward ? a.entry->timestamp < b.entry->timestamp : a.entry->timestamp > b.entry->timestamp;
  });
  return entries;
}

void EntryPrinter::set_common_labels(const std::vector<logql::ResultStream>& streams, std::ostream& messages) {
  if (streams.empty()) return;
  if (!options_.include_common_labels) {
    std::vector<Label> shared;
    for (const auto& label : streams.front().labels) {
      const bool everywhere = std::all_of(streams.begin(), streams.end(), [&](const logql::ResultStream& stream) {
        return stream.labels.get(label.name) == label.value;
      });
      if (everywhere) shared.push_back(label);
    }
    common_ = Labels::from_sorted(std::move(shared));
    if (!options_.quiet && !common_.empty()) messages << "Common labels: " << common_.to_string() << "\n";
  }
  width_ = options_.labels_length;
  for (const auto& stream : streams) width_ = std::max(width_, label_text(stream.labels).size());
}

std::string EntryPrinter::label_text(const Labels& labels) const {
  std::vector<Label> shown;
  const auto listed = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const auto& label : labels) {
    const bool wanted = options_.include_labels.empty() || listed(options_.include_labels, label.name);
    const bool common = common_.get(label.name) == label.value;
    if (wanted && !common && !listed(options_.exclude_labels, label.name)) shown.push_back(label);
  }
  return Labels::from_sorted(std::move(shown)).to_string();
}

std::string EntryPrinter::time_text(TimestampNs timestamp) const {
  if (!options_.utc) return local_rfc3339(timestamp, options_.nanoseconds);
  return format_rfc3339(options_.nanoseconds ? timestamp
                                             : TimestampNs{timestamp.value - timestamp.value % 1'000'000'000});
}

void EntryPrinter::print(const PrintEntry& item) {
  const std::string& line = item.entry->line;
  if (options_.mode == OutputMode::kRaw) {
    out_ << line << '\n';
    return;
  }
  if (options_.mode == OutputMode::kJsonl) {
    std::string text;
    JsonWriter json(text);
    json.begin_object().key("labels");
    write_labels(json, *item.labels);
    json.key("line").string(line).key("timestamp").string(format_rfc3339(item.entry->timestamp)).end_object();
    out_ << text << '\n';
    return;
  }
  std::string labels = options_.no_labels ? "" : fmt::format("{:<{}} ", label_text(*item.labels), width_);
  if (options_.colour) {
    const auto colour = kColours[item.labels->fingerprint().value % kColours.size()];
    labels = std::string(colour) + labels + std::string(kPlain);
  }
  out_ << time_text(item.entry->timestamp) << ' ' << labels << line << '\n';
}

void print_metric(const logql::QueryResult& result, const PrintOptions& options, std::ostream& out) {
  if (const auto* vector = std::get_if<logql::Vector>(&result)) return print_series(vector->series, true, options, out);
  if (const auto* matrix = std::get_if<logql::Matrix>(&result))
    return print_series(matrix->series, false, options, out);
  if (const auto* table = std::get_if<logql::Table>(&result)) return print_columns(table->columns, table->rows, out);
  if (const auto* scalar = std::get_if<logql::Scalar>(&result)) {
    out << seconds_text(scalar->point.timestamp_ms) << ' ' << format_sample_value(scalar->point.value) << '\n';
  }
}

}  // namespace kvasir::cli
