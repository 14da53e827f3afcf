#include "promtail-agent/stages/metric_text.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "common/number.h"

namespace kvasir::agent {
namespace {

constexpr std::string_view kTotal = "_total";
constexpr std::string_view kNoHelp = "Made from log lines by a metrics stage without a description.";  // promtool asks

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') out += "\\\\";
    else if (c == '\n') out += "\\n";
    else if (c == '"' && quotes) out += "\\\"";
    else out += c;
  }
}

std::string valid_name(std::string_view name, bool colons) {
  std::string out(name);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const char c = out[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colons && c == ':');
    const bool digit = c >= '0' && c <= '9' && i > 0;
    if (!letter && !digit) out[i] = '_';
  }
  return out;
}

// Names of labels as they are shown: valid, and no two alike.
std::vector<std::string> shown_names(const Labels& labels) {
  std::vector<std::string> names;
  for (const Label& label : labels) {
    std::string name = valid_name(label.name, false);
    const auto taken = [&] {
      return (name != label.name && labels.has(name)) || std::find(names.begin(), names.end(), name) != names.end();
    };
    while (taken()) name += '_';
    names.push_back(std::move(name));
  }
  return names;
}

// Promtail calls some gauges `..._total`; dashboards know them by that name, and Prometheus' checks take it of a metric
// that says nothing about its type.
std::string_view shown_type(std::string_view name, MetricType type, MetricsFormat format) {
  if (type != MetricType::kGauge || !name.ends_with(kTotal)) return metric_type_name(type);
  return format == MetricsFormat::kOpenMetrics ? "unknown" : "untyped";
}

}  // namespace

std::string valid_metric_name(std::string_view name) { return valid_name(name, true); }

void MetricText::family(std::string_view name, MetricType type, std::string_view help) {
  name_ = valid_metric_name(name);
  help_ = help.empty() ? kNoHelp : help;
  type_ = type;
  header_written_ = false;
}

void MetricText::header() {
  if (header_written_) return;
  header_written_ = true;
  std::string_view name = name_;
  if (format_ == MetricsFormat::kOpenMetrics && type_ == MetricType::kCounter && name.ends_with(kTotal))
    name.remove_suffix(kTotal.size());
  out_ += fmt::format("# HELP {} ", name);
  append_escaped(out_, help_, format_ == MetricsFormat::kOpenMetrics);
  out_ += fmt::format("\n# TYPE {} {}\n", name, shown_type(name_, type_, format_));
}

void MetricText::sample(std::string_view suffix, const Labels& labels, std::string_view bound, double value) {
  out_ += name_;
  out_ += suffix;
  char divider = '{';
  const std::vector<std::string> names = shown_names(labels);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    out_ += divider;
    out_ += names[i];
    out_ += "=\"";
    append_escaped(out_, labels[i].value, true);
    out_ += '"';
    divider = ',';
  }
  if (!bound.empty()) {
    out_ += divider;
    out_ += fmt::format("le=\"{}\"", bound);
    divider = ',';
  }
  if (divider == ',') out_ += '}';
  out_ += ' ';
  out_ += format_go_float(value);
}

void MetricText::exemplar(const Series& series, std::size_t slot) {
  const auto exemplar = format_ == MetricsFormat::kOpenMetrics ? series.exemplar(slot) : std::nullopt;
  if (exemplar) {
    out_ += " # {trace_id=\"";
    append_escaped(out_, exemplar->trace_id, true);
    out_ += fmt::format("\"}} {} {:.3f}", format_go_float(exemplar->value),
                        static_cast<double>(exemplar->timestamp.value) / 1e9);
  }
  out_ += '\n';
}

void MetricText::histogram(const Series& series) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i <= series.buckets().size(); ++i) {
    total += series.bucket_count(i);
    const bool last = i == series.buckets().size();
    std::string bound = last ? "+Inf" : format_go_float(series.buckets()[i]);
    const bool whole = bound.find_first_not_of("-0123456789") == std::string::npos;
    if (format_ == MetricsFormat::kOpenMetrics && whole) bound += ".0";
    sample("_bucket", series.labels(), bound, static_cast<double>(total));
    exemplar(series, i);
  }
  sample("_sum", series.labels(), {}, series.value());
  out_ += '\n';
  sample("_count", series.labels(), {}, static_cast<double>(total));
  out_ += '\n';
}

void MetricText::series(const Series& series) {
  header();
  if (type_ == MetricType::kHistogram) return histogram(series);
  const bool add_total =
      format_ == MetricsFormat::kOpenMetrics && type_ == MetricType::kCounter && !name_.ends_with(kTotal);
  sample(add_total ? kTotal : std::string_view(), series.labels(), {}, series.value());
  if (type_ == MetricType::kCounter) exemplar(series, 0);
  else out_ += '\n';
}

std::string MetricText::finish() {
  if (format_ == MetricsFormat::kOpenMetrics) out_ += "# EOF\n";
  return std::move(out_);
}

}  // namespace kvasir::agent
